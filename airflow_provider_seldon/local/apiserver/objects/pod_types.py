"""The fields of pods and of everything inside them, in the notation of ``structural.py``.

Source: the Kubernetes API reference, ``core/v1``. Obsolete volume kinds (removed in-tree drivers) are kept as
untyped values.
"""

from __future__ import annotations

from collections.abc import Mapping

POD_TYPES: Mapping[str, str] = {
    "PodSpec": """
        activeDeadlineSeconds:long affinity:Affinity automountServiceAccountToken:bool containers!:[Container]
        dnsConfig:DnsConfig dnsPolicy:str enableServiceLinks:bool ephemeralContainers:[EphemeralContainer]
        hostAliases:[HostAlias] hostIPC:bool hostNetwork:bool hostPID:bool hostname:str
        imagePullSecrets:[LocalReference] initContainers:[Container] nodeName:str nodeSelector:{str} os:Os
        overhead:{quantity} preemptionPolicy:str priority:int priorityClassName:str
        readinessGates:[ReadinessGate] restartPolicy:str runtimeClassName:str schedulerName:str
        securityContext:PodSecurityContext serviceAccount:str serviceAccountName:str setHostnameAsFQDN:bool
        shareProcessNamespace:bool subdomain:str terminationGracePeriodSeconds:long tolerations:[Toleration]
        topologySpreadConstraints:[SpreadConstraint#topologyKey,whenUnsatisfiable] volumes:[Volume]
        """,
    "Container": """
        args:[str] command:[str] env:[EnvVar] envFrom:[EnvFrom] image:str imagePullPolicy:str
        lifecycle:Lifecycle livenessProbe:Probe name!:str ports:[ContainerPort#containerPort,protocol]
        readinessProbe:Probe resources:Resources securityContext:SecurityContext startupProbe:Probe stdin:bool
        stdinOnce:bool terminationMessagePath:str terminationMessagePolicy:str tty:bool
        volumeDevices:[VolumeDevice] volumeMounts:[VolumeMount] workingDir:str
        """,
    "EphemeralContainer": """
        args:[str] command:[str] env:[EnvVar] envFrom:[EnvFrom] image:str imagePullPolicy:str
        lifecycle:Lifecycle livenessProbe:Probe name!:str ports:[ContainerPort#containerPort,protocol]
        readinessProbe:Probe resources:Resources securityContext:SecurityContext startupProbe:Probe stdin:bool
        stdinOnce:bool targetContainerName:str terminationMessagePath:str terminationMessagePolicy:str tty:bool
        volumeDevices:[VolumeDevice] volumeMounts:[VolumeMount] workingDir:str
        """,
    "EnvVar": "name!:str value:str valueFrom:EnvSource",
    "EnvSource": """
        configMapKeyRef:KeyReference fieldRef:FieldReference resourceFieldRef:ResourceFieldReference
        secretKeyRef:KeyReference
        """,
    "KeyReference": "key!:str name:str optional:bool",
    "FieldReference": "apiVersion:str fieldPath!:str",
    "ResourceFieldReference": "containerName:str divisor:quantity resource!:str",
    "EnvFrom": "configMapRef:OptionalReference prefix:str secretRef:OptionalReference",
    "OptionalReference": "name:str optional:bool",
    "LocalReference": "name:str",
    "Lifecycle": "postStart:LifecycleHandler preStop:LifecycleHandler",
    "LifecycleHandler": "exec:ExecAction httpGet:HttpGetAction tcpSocket:TcpSocketAction",
    "ExecAction": "command:[str]",
    "HttpGetAction": "host:str httpHeaders:[HttpHeader] path:str port!:port scheme:str",
    "HttpHeader": "name!:str value!:str",
    "TcpSocketAction": "host:str port!:port",
    "Probe": """
        exec:ExecAction failureThreshold:int grpc:GrpcAction httpGet:HttpGetAction initialDelaySeconds:int
        periodSeconds:int successThreshold:int tcpSocket:TcpSocketAction terminationGracePeriodSeconds:long
        timeoutSeconds:int
        """,
    "GrpcAction": "port!:int service:str",
    "ContainerPort": "containerPort!:int hostIP:str hostPort:int name:str protocol:str=TCP",
    "Resources": "limits:{quantity} requests:{quantity}",
    "VolumeDevice": "devicePath!:str name!:str",
    "VolumeMount": """
        mountPath!:str mountPropagation:str name!:str readOnly:bool subPath:str subPathExpr:str
        """,
    "SecurityContext": """
        allowPrivilegeEscalation:bool capabilities:Capabilities privileged:bool procMount:str
        readOnlyRootFilesystem:bool runAsGroup:long runAsNonRoot:bool runAsUser:long seLinuxOptions:SeLinuxOptions
        seccompProfile:SeccompProfile windowsOptions:WindowsOptions
        """,
    "Capabilities": "add:[str] drop:[str]",
    "SeLinuxOptions": "level:str role:str type:str user:str",
    "SeccompProfile": "localhostProfile:str type!:str",
    "WindowsOptions": "gmsaCredentialSpec:str gmsaCredentialSpecName:str hostProcess:bool runAsUserName:str",
    "PodSecurityContext": """
        fsGroup:long fsGroupChangePolicy:str runAsGroup:long runAsNonRoot:bool runAsUser:long
        seLinuxOptions:SeLinuxOptions seccompProfile:SeccompProfile supplementalGroups:[long] sysctls:[NameValue]
        windowsOptions:WindowsOptions
        """,
    "NameValue": "name!:str value!:str",
    "DnsConfig": "nameservers:[str] options:[DnsOption] searches:[str]",
    "DnsOption": "name:str value:str",
    "HostAlias": "hostnames:[str] ip:str",
    "Os": "name!:str",
    "ReadinessGate": "conditionType!:str",
    "Toleration": "effect:str key:str operator:str tolerationSeconds:long value:str",
    "SpreadConstraint": """
        labelSelector:LabelSelector maxSkew!:int minDomains:int topologyKey!:str whenUnsatisfiable!:str
        """,
    "LabelSelector": "matchExpressions:[LabelRequirement] matchLabels:{str}",
    "LabelRequirement": "key!:str operator!:str values:[str]",
    "Affinity": "nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAffinity",
    "NodeAffinity": """
        preferredDuringSchedulingIgnoredDuringExecution:[PreferredNode]
        requiredDuringSchedulingIgnoredDuringExecution:NodeSelector
        """,
    "PreferredNode": "preference!:NodeTerm weight!:int",
    "NodeSelector": "nodeSelectorTerms!:[NodeTerm]",
    "NodeTerm": "matchExpressions:[LabelRequirement] matchFields:[LabelRequirement]",
    "PodAffinity": """
        preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodTerm]
        requiredDuringSchedulingIgnoredDuringExecution:[PodTerm]
        """,
    "WeightedPodTerm": "podAffinityTerm!:PodTerm weight!:int",
    "PodTerm": """
        labelSelector:LabelSelector namespaceSelector:LabelSelector namespaces:[str] topologyKey!:str
        """,
    "Volume": """
        name!:str configMap:ConfigMapVolume csi:CsiVolume downwardAPI:DownwardVolume emptyDir:EmptyDirVolume
        ephemeral:EphemeralVolume hostPath:HostPathVolume nfs:NfsVolume
        persistentVolumeClaim:ClaimVolume projected:ProjectedVolume secret:SecretVolume
        awsElasticBlockStore:any azureDisk:any azureFile:any cephfs:any cinder:any fc:any flexVolume:any
        flocker:any gcePersistentDisk:any gitRepo:any glusterfs:any iscsi:any photonPersistentDisk:any
        portworxVolume:any quobyte:any rbd:any scaleIO:any storageos:any vsphereVolume:any
        """,
    "ConfigMapVolume": "defaultMode:int items:[KeyToPath] name:str optional:bool",
    "SecretVolume": "defaultMode:int items:[KeyToPath] optional:bool secretName:str",
    "KeyToPath": "key!:str mode:int path!:str",
    "CsiVolume": """
        driver!:str fsType:str nodePublishSecretRef:LocalReference readOnly:bool volumeAttributes:{str}
        """,
    "DownwardVolume": "defaultMode:int items:[DownwardFile]",
    "DownwardFile": """
        fieldRef:FieldReference mode:int path!:str resourceFieldRef:ResourceFieldReference
        """,
    "EmptyDirVolume": "medium:str sizeLimit:quantity",
    "EphemeralVolume": "volumeClaimTemplate:ClaimTemplate",
    "ClaimTemplate": "metadata:any spec!:ClaimSpec",
    "ClaimSpec": """
        accessModes:[str] dataSource:TypedReference dataSourceRef:TypedReference resources:Resources
        selector:LabelSelector storageClassName:str volumeMode:str volumeName:str
        """,
    "TypedReference": "apiGroup:str kind!:str name!:str",
    "HostPathVolume": "path!:str type:str",
    "NfsVolume": "path!:str readOnly:bool server!:str",
    "ClaimVolume": "claimName!:str readOnly:bool",
    "ProjectedVolume": "defaultMode:int sources:[ProjectedSource]",
    "ProjectedSource": """
        configMap:ProjectedReference downwardAPI:ProjectedDownward secret:ProjectedReference
        serviceAccountToken:ProjectedToken
        """,
    "ProjectedReference": "items:[KeyToPath] name:str optional:bool",
    "ProjectedDownward": "items:[DownwardFile]",
    "ProjectedToken": "audience:str expirationSeconds:long path!:str",
}

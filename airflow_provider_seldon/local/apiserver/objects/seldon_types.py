"""The fields of a SeldonDeployment, in the notation of ``structural.py``.

Source: Seldon Core v1 API reference. As in the shipped definition, graphs are described ten levels below the
root; deeper levels are pruned.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from airflow_provider_seldon.local.apiserver.objects.pod_types import POD_TYPES
from airflow_provider_seldon.local.apiserver.objects.structural import Type, parse

GRAPH_DEPTH = 10

_UNIT = """
    name!:str endpoint:Endpoint envSecretRefName:str implementation:str logger:Logger methods:[str] modelUri:str
    parameters:[Parameter] serviceAccountName:str storageInitializerImage:str type:str
    """
SELDON_TYPES: Mapping[str, str] = {
    "SeldonDeployment": "apiVersion:str kind:str metadata:any spec:Spec status:Status",
    "Spec": """
        annotations:{str} name:str oauth_key:str oauth_secret:str predictors!:[Predictor] protocol:str replicas:int
        serverType:str transport:str
        """,
    "Predictor": """
        name!:str graph!:Unit0 annotations:{str} componentSpecs:[ComponentSpec] engineResources:Resources
        explainer:Explainer labels:{str} progressDeadlineSeconds:int replicas:int shadow:bool ssl:Ssl
        svcOrchSpec:Orchestrator traffic:int
        """,
    "ComponentSpec": """
        hpaSpec:Hpa kedaSpec:Keda metadata:ObjectMeta pdbSpec:Pdb replicas:int spec:PodSpec
        """,
    "ObjectMeta": """
        annotations:{str} clusterName:str creationTimestamp?:str deletionGracePeriodSeconds:long
        deletionTimestamp:str finalizers:[str] generateName:str generation:long labels:{str} name:str namespace:str
        ownerReferences:[OwnerReference] resourceVersion:str selfLink:str uid:str
        """,
    "OwnerReference": """
        apiVersion!:str blockOwnerDeletion:bool controller:bool kind!:str name!:str uid!:str
        """,
    "Pdb": "maxUnavailable:port minAvailable:port",
    "Hpa": "maxReplicas!:int metrics:[HpaMetric] metricsv2:[HpaMetricV2] minReplicas:int",
    "HpaMetric": """
        containerResource:HpaContainerResource external:HpaExternal object:HpaObject pods:HpaPods
        resource:HpaResource type!:str
        """,
    "HpaContainerResource": """
        container!:str name!:str targetAverageUtilization:int targetAverageValue:quantity
        """,
    "HpaResource": "name!:str targetAverageUtilization:int targetAverageValue:quantity",
    "HpaExternal": """
        metricName!:str metricSelector:LabelSelector targetAverageValue:quantity targetValue:quantity
        """,
    "HpaObject": """
        averageValue:quantity metricName!:str selector:LabelSelector target!:CrossReference targetValue!:quantity
        """,
    "HpaPods": "metricName!:str selector:LabelSelector targetAverageValue!:quantity",
    "CrossReference": "apiVersion:str kind!:str name!:str",
    "HpaMetricV2": """
        containerResource:HpaContainerResourceV2 external:HpaExternalV2 object:HpaObjectV2 pods:HpaExternalV2
        resource:HpaResourceV2 type!:str
        """,
    "HpaContainerResourceV2": "container!:str name!:str target!:MetricTarget",
    "HpaResourceV2": "name!:str target!:MetricTarget",
    "HpaExternalV2": "metric!:MetricId target!:MetricTarget",
    "HpaObjectV2": "describedObject!:CrossReference metric!:MetricId target!:MetricTarget",
    "MetricId": "name!:str selector:LabelSelector",
    "MetricTarget": "averageUtilization:int averageValue:quantity type!:str value:quantity",
    "Keda": """
        advanced:KedaAdvanced cooldownPeriod:int fallback:KedaFallback idleReplicaCount:int maxReplicaCount:int
        minReplicaCount:int pollingInterval:int triggers!:[KedaTrigger]
        """,
    "KedaAdvanced": """
        horizontalPodAutoscalerConfig:KedaHpa restoreToOriginalReplicaCount:bool
        """,
    "KedaHpa": "behavior:ScalingBehavior",
    "ScalingBehavior": "scaleDown:ScalingRules scaleUp:ScalingRules",
    "ScalingRules": "policies:[ScalingPolicy] selectPolicy:str stabilizationWindowSeconds:int",
    "ScalingPolicy": "periodSeconds!:int type!:str value!:int",
    "KedaFallback": "failureThreshold!:int replicas!:int",
    "KedaTrigger": """
        authenticationRef:KedaAuthentication metadata!:{str} metricType:str name:str type!:str
        """,
    "KedaAuthentication": "kind:str name!:str",
    "Endpoint": "grpcPort:int httpPort:int service_host:str service_port:int type:str",
    "Logger": "mode:str url:str",
    "Parameter": "name!:str type!:str value!:str",
    "Explainer": """
        config:{str} containerSpec:Container endpoint:Endpoint envSecretRefName:str initParameters:str modelUri:str
        replicas:int serviceAccountName:str storageInitializerImage:str type:str
        """,
    "Orchestrator": "env:[EnvVar] replicas:int resources:Resources",
    "Ssl": "certSecretName:str",
    "Status": """
        address:Address annotations:{str} conditions:[Condition] deploymentStatus:{ChildStatus} description:str
        observedGeneration:long replicas:int serviceStatus:{ServiceStatus} state:str
        """,
    "Address": "url:str",
    "Condition": "lastTransitionTime:str message:str reason:str severity:str status!:str type!:str",
    "ChildStatus": """
        availableReplicas:int description:str explainerFor:str name:str replicas:int status:str
        """,
    "ServiceStatus": "explainerFor:str grpcEndpoint:str httpEndpoint:str svcName:str",
} | {
    f"Unit{level}": _UNIT + (f" children:[Unit{level + 1}]" if level < GRAPH_DEPTH else "")
    for level in range(GRAPH_DEPTH + 1)
}


@cache
def seldon_deployment() -> Type:
    """Return the type of a SeldonDeployment."""
    return parse({**POD_TYPES, **SELDON_TYPES})["SeldonDeployment"]

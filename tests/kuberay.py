"""What KubeRay's custom resources may say, as a JSON schema: the fields that we use of a RayJob and a RayCronJob.

Names and types are those of the CRDs of KubeRay 1.7 (`ray.io/v1`). The API server prunes what it does not know, in
silence or with a warning; here it is refused.
"""

from __future__ import annotations

from typing import Any


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object of these fields and no other."""
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def _list(items: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least}


def _one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


_TEXT = {"type": "string", "minLength": 1}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_ID = {"type": "integer", "minimum": 0}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
_PREFIX = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*)-$", "maxLength": 42}
_QUANTITY = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([KMGTPE]i|[numkMGTPE])?$"}
_QUANTITIES = {"type": "object", "additionalProperties": _QUANTITY}

_SECRET = _object(name=_NAME, optional=_FLAG)
_ENV_FROM = _object(prefix=_TEXT, secretRef=_SECRET, configMapRef=_SECRET)
_CONTAINER = _object(
    "name image",
    name=_NAME,
    image=_TEXT,
    command=_list(_TEXT),
    args=_list(_TEXT),
    env=_list(_object("name", name=_TEXT, value={"type": "string"})),
    envFrom=_list(_ENV_FROM),
    resources=_object(requests=_QUANTITIES, limits=_QUANTITIES),
    securityContext=_object(
        allowPrivilegeEscalation=_FLAG,
        capabilities=_object(add=_list(_TEXT), drop=_list(_TEXT)),
        readOnlyRootFilesystem=_FLAG,
        runAsNonRoot=_FLAG,
        runAsUser=_ID,
    ),
    volumeMounts=_list(_object("name mountPath", name=_NAME, mountPath=_TEXT, readOnly=_FLAG, subPath=_TEXT)),
)
_POD = _object(
    "containers",
    containers=_list(_CONTAINER, 1),
    securityContext=_object(fsGroup=_ID, runAsGroup=_ID, runAsNonRoot=_FLAG, runAsUser=_ID),
    serviceAccountName=_NAME,
    volumes=_list(_object("name", name=_NAME, emptyDir=_object(medium=_TEXT, sizeLimit=_QUANTITY))),
)
_METADATA = _object(name=_NAME, generateName=_PREFIX, namespace=_NAME, labels=_TEXTS, annotations=_TEXTS)
_TEMPLATE = _object("spec", metadata=_METADATA, spec=_POD)

_CLUSTER = _object(
    "headGroupSpec",
    rayVersion=_TEXT,
    enableInTreeAutoscaling=_FLAG,
    headGroupSpec=_object("template", rayStartParams=_TEXTS, serviceType=_TEXT, template=_TEMPLATE),
    workerGroupSpecs=_list(
        _object(
            "groupName minReplicas maxReplicas template",
            groupName=_NAME,
            replicas=_COUNT,
            minReplicas=_COUNT,
            maxReplicas=_COUNT,
            numOfHosts=_COUNT,
            rayStartParams=_TEXTS,
            template=_TEMPLATE,
        )
    ),
)
_JOB = _object(
    activeDeadlineSeconds=_COUNT,
    backoffLimit=_COUNT,
    entrypoint=_TEXT,
    rayClusterSpec=_CLUSTER,
    runtimeEnvYAML=_TEXT,
    shutdownAfterJobFinishes=_FLAG,
    submissionMode=_one_of("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"),
    suspend=_FLAG,
    ttlSecondsAfterFinished=_COUNT,
)
_CRON_JOB = _object("schedule jobTemplate", schedule=_TEXT, timeZone=_TEXT, suspend=_FLAG, jobTemplate=_JOB)

_API = {"const": "ray.io/v1"}
RESOURCES = {
    "RayJob": _object(
        "apiVersion kind metadata spec", apiVersion=_API, kind={"const": "RayJob"}, metadata=_METADATA, spec=_JOB
    ),
    "RayCronJob": _object(
        "apiVersion kind metadata spec",
        apiVersion=_API,
        kind={"const": "RayCronJob"},
        metadata=_METADATA,
        spec=_CRON_JOB,
    ),
}

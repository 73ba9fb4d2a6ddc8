"""Kubernetes: Deployment, Service, HPA, PodDisruptionBudget, and an HTTPRoute with affinity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stlaunch.deploy.model import COOKIE_SECRET, USER_ID, GeneratedFile
from stlaunch.proxies.gateway_api import WEBSOCKETS, affine_route

if TYPE_CHECKING:
    from stlaunch.deploy.model import Deployment

_PRE_STOP_S = 5


def render_kubernetes(deployment: Deployment) -> tuple[GeneratedFile, ...]:
    """Return one file with all objects."""
    objects = (_deployment, _service, _autoscaler, _budget, _route)
    text = "---\n".join(render(deployment) for render in objects)
    return (GeneratedFile(name=f"{deployment.name}.yaml", text=_HEAD.format(deployment) + text),)


_HEAD = (
    "# Once, one secret for all replicas; it is in no file:\n"
    "#     kubectl create secret generic {0.name} --from-literal="
    'cookie-secret="$(openssl rand -hex 32)"\n'
    "# Then:  kubectl apply -f {0.name}.yaml\n"
)


def _deployment(deployment: Deployment) -> str:
    name = deployment.name
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{ app.kubernetes.io/name: {name} }}
spec:
  # No `replicas`: the HorizontalPodAutoscaler below decides, and an apply must not undo it.
  selector:
    matchLabels: {{ app.kubernetes.io/name: {name} }}
  strategy:
    rollingUpdate: {{ maxSurge: 1, maxUnavailable: 0 }}
  template:
    metadata:
      labels: {{ app.kubernetes.io/name: {name} }}
    spec:
      # A Service called "streamlit" or "stlaunch" would otherwise set variables of ours.
      enableServiceLinks: false
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: {_PRE_STOP_S + deployment.stop_s}
      securityContext:
        runAsNonRoot: true
        runAsUser: {USER_ID}
        runAsGroup: {USER_ID}
        fsGroup: {USER_ID}
        seccompProfile: {{ type: RuntimeDefault }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{ app.kubernetes.io/name: {name} }}
      containers:
        - name: app
          image: {json.dumps(deployment.image)}
          args: {json.dumps(list(deployment.command))}
          env:
            - name: {COOKIE_SECRET}
              valueFrom:
                secretKeyRef: {{ name: {name}, key: cookie-secret }}
            - {{ name: HOME, value: /tmp }}
          ports:
            - {{ name: http, containerPort: {deployment.port} }}
          resources:
            requests: {{ cpu: 250m, memory: 256Mi }}
            limits: {{ memory: 1Gi }}
          startupProbe:
            httpGet: {{ path: /_stlaunch/health, port: http }}
            periodSeconds: 2
            failureThreshold: 60
          readinessProbe:
            httpGet: {{ path: /_stlaunch/ready, port: http }}
            periodSeconds: 2
            timeoutSeconds: 3
            failureThreshold: 2
          livenessProbe:
            httpGet: {{ path: /_stlaunch/health, port: http }}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          lifecycle:
            # Until every proxy has heard that this pod leaves; then SIGTERM drains it.
            preStop:
              exec: {{ command: ["sleep", "{_PRE_STOP_S}"] }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{ drop: ["ALL"] }}
          volumeMounts:
            - {{ name: tmp, mountPath: /tmp }}
      volumes:
        - name: tmp
          emptyDir: {{ sizeLimit: 64Mi }}
"""


def _service(deployment: Deployment) -> str:
    return f"""apiVersion: v1
kind: Service
metadata:
  name: {deployment.name}
  labels: {{ app.kubernetes.io/name: {deployment.name} }}
spec:
  selector: {{ app.kubernetes.io/name: {deployment.name} }}
  # Uploads and pictures have to reach the pod that holds the session. A gateway that sends
  # straight to pods goes by the cookie of the HTTPRoute instead.
  sessionAffinity: ClientIP
  ports:
    - {{ name: http, port: 80, targetPort: http, {WEBSOCKETS} }}
"""


def _autoscaler(deployment: Deployment) -> str:
    return f"""apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {deployment.name}
spec:
  scaleTargetRef: {{ apiVersion: apps/v1, kind: Deployment, name: {deployment.name} }}
  minReplicas: {deployment.replicas}
  maxReplicas: {3 * deployment.replicas}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {{ type: Utilization, averageUtilization: 70 }}
  behavior:
    # Scaling down ends sessions: slowly, and one pod at a time.
    scaleDown:
      stabilizationWindowSeconds: 600
      policies:
        - {{ type: Pods, value: 1, periodSeconds: 300 }}
"""


def _budget(deployment: Deployment) -> str:
    return f"""apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {deployment.name}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{ app.kubernetes.io/name: {deployment.name} }}
"""


def _route(deployment: Deployment) -> str:
    url = deployment.public_url
    return affine_route(
        name=deployment.name,
        host=url.origin.host if url else "",
        paths=[path.value or "/" for path in deployment.public_paths],
    )

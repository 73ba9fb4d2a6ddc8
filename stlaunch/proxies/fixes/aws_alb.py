"""AWS Application Load Balancer, as CloudFormation; WebSocket, Host and scheme it hands on.

It strips no path: the prefix is always kept. It has no limit on bodies sent to instances or IPs.
"""

from __future__ import annotations

from stlaunch.proxies.fixes.model import Need, Part, Recipe

RECIPE = Recipe(
    places={
        "balancer": "in CloudFormation, in the load balancer's `LoadBalancerAttributes`",
        "target": "in CloudFormation, in the target group's `TargetGroupAttributes`",
    },
    reload="aws cloudformation deploy --template-file FILE --stack-name NAME",
    parts={
        Need.HOST: (
            Part(
                "balancer",
                '- { Key: routing.http.preserve_host_header.enabled, Value: "true" }',
                "Host goes on with its port; Streamlit compares Host with Origin.",
            ),
        ),
        Need.CLIENT: (
            Part(
                "balancer",
                "- { Key: routing.http.xff_header_processing.mode, Value: append }",
                "The app sees the client's address, as the last one in X-Forwarded-For.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "balancer",
                '- { Key: idle_timeout.timeout_seconds, Value: "<<idle_s>>" }',
                "A quiet WebSocket outlives several pings; without it the limit is 60 s.",
            ),
        ),
        Need.AFFINITY: (
            Part(
                "target",
                (
                    '- { Key: stickiness.enabled, Value: "true" }\n'
                    "- { Key: stickiness.type, Value: lb_cookie }\n"
                    '- { Key: stickiness.lb_cookie.duration_seconds, Value: "86400" }'
                ),
                "Streamlit keeps sessions and uploads in one process; the cookie chooses the "
                "replica.",
            ),
        ),
    },
)

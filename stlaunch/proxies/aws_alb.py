"""AWS Application Load Balancer, as CloudFormation; it passes WebSocket, Host and scheme on.

It strips no path: the prefix is always kept. It has no limit on bodies sent to instances or IPs.
"""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import IDENTITY_STAYS, NOT_TRIED, Kind, Lines, Part, Recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import cookie, sent, server

_VALIDATE = "aws cloudformation validate-template --template-body file://FILE"
_SIGNS = (
    server(r"awselb"),
    cookie(r"^AWSALB"),
    sent("x-amzn-trace-id"),
)


# --- its lines for each need

_SETTABLE = {
    "Content-Security-Policy": "content_security_policy",
    "X-Frame-Options": "x_frame_options",
    "X-Content-Type-Options": "x_content_type_options",
}
"""The only ones of our headers that a listener can set."""


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    return "\n".join(
        f'- {{ Key: routing.http.response.{_SETTABLE[name]}.header_value, Value: "{value}" }}'
        for name, value in headers
        if name in _SETTABLE
    )


_LINES: Lines = {
    **header_lines("listener", _headers),
    Need.HOST: (
        Part(
            "balancer",
            '- { Key: routing.http.preserve_host_header.enabled, Value: "true" }',
            "Host is forwarded with its port; Streamlit compares Host with Origin.",
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
            "Streamlit keeps sessions and uploads in one process; the cookie chooses the replica.",
        ),
    ),
}


# --- its complete configuration

_TEMPLATE = """\
#: A template for CloudFormation.
AWSTemplateFormatVersion: "2010-09-09"
Description: A Streamlit app behind an Application Load Balancer.

#: What your account brings.
Parameters:
  Vpc: { Type: "AWS::EC2::VPC::Id" }
  Subnets: { Type: "List<AWS::EC2::Subnet::Id>" }
  SecurityGroup: { Type: "AWS::EC2::SecurityGroup::Id" }
  ?tls Certificate: { Type: String, Description: The ARN of the certificate. }

Resources:
  #: Where requests come in.
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties:
      Type: application
      Subnets: !Ref Subnets
      SecurityGroups: [ !Ref SecurityGroup ]
      #[ in the load balancer's properties
      LoadBalancerAttributes:
        @balancer
      #]

  #: The app's tasks or instances; a task is healthy when the app takes sessions.
  Streamlit:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      VpcId: !Ref Vpc
      TargetType: ip
      Protocol: HTTP
      Port: <<upstream_port>>
      HealthCheckPath: <<base>>/_stlaunch/ready
      #[ in the target group's properties
      TargetGroupAttributes:
        #: Sessions may end by themselves before a task does.
        - { Key: deregistration_delay.timeout_seconds, Value: "120" }
        @target
      #]

  #: What does not belong to the app is not found.
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Port: <<port>>
      ?tls Protocol: HTTPS
      ?tls Certificates: [ { CertificateArn: !Ref Certificate } ]
      ?tls SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06
      ?!tls Protocol: HTTP
      ?secured ListenerAttributes:
        @listener
      DefaultActions:
        - Type: fixed-response
          FixedResponseConfig: { StatusCode: "404" }

  #: Diagnostic pages and metrics are for operators only.
  DiagnosticsRule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 10
      Conditions:
        - Field: path-pattern
          PathPatternConfig:
            Values: [ "<<base>>/_stcore/metrics*", "<<base>>/_stlaunch/check*", "<<base>>/_stlaunch/metrics*", "<<base>>/_stlaunch/fixes*", "<<base>>/_stlaunch/echo*" ]
      Actions:
        - Type: fixed-response
          FixedResponseConfig: { StatusCode: "403" }

  #: The same; a rule takes five paths.
  OtherDiagnosticsRule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 11
      Conditions:
        - Field: path-pattern
          PathPatternConfig:
            Values: [ "<<base>>/_stlaunch/ticket*", "<<base>>/_stlaunch/arrived*", "<<base>>/_stlaunch/ws*", "<<base>>/_stlaunch/sink*", "<<base>>/_stlaunch/drip*" ]
      Actions:
        - Type: fixed-response
          FixedResponseConfig: { StatusCode: "403" }

  #: The same.
  DiagnosticsPageRule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 12
      Conditions:
        - Field: path-pattern
          PathPatternConfig:
            Values: [ "<<base>>/_stlaunch", "<<base>>/_stlaunch/" ]
      Actions:
        - Type: fixed-response
          FixedResponseConfig: { StatusCode: "403" }

  #[ a rule for your listener
  #: Everything below the path goes to the app, with the path as it came.
  StreamlitRule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 20
      Conditions:
        - Field: path-pattern
          PathPatternConfig:
            ?rooted Values: [ "/*" ]
            ?!rooted Values: [ "<<base>>", "<<base>>/*" ]
        ?named - Field: host-header
        ?named   HostHeaderConfig: { Values: [ <<host>> ] }
      Actions:
        - { Type: forward, TargetGroupArn: !Ref Streamlit }
  #]
"""  # noqa: E501 - lines of its language

_KINDS = (
    Kind(
        name="aws-alb",
        title="AWS Application Load Balancer (CloudFormation)",
        product=Product.AWS_ALB,
        template=_TEMPLATE,
        put_into="a file for aws cloudformation deploy",
        strips=False,
        restricts=False,
        notes=(IDENTITY_STAYS, NOT_TRIED),
    ),
)


RECIPE = Recipe(
    title="AWS load balancer",
    signs=_SIGNS,
    places={
        "balancer": "in CloudFormation, in the load balancer's `LoadBalancerAttributes`",
        "listener": "in CloudFormation, in the listener's `ListenerAttributes`",
        "target": "in CloudFormation, in the target group's `TargetGroupAttributes`",
    },
    validate=_VALIDATE,
    reload="aws cloudformation deploy --template-file FILE --stack-name NAME",
    parts=_LINES,
    kinds=_KINDS,
)

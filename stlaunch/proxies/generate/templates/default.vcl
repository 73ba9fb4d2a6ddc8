#: Start: varnishd -a :<<port>> -f default.vcl -p pipe_timeout=<<idle_s>>
vcl 4.1;

?replicas #: What is used.
?replicas import directors;

#[ outside of any block
@top

#: What becomes of a request.
sub vcl_recv {
    @recv
}

#: What becomes of a response.
sub vcl_backend_response {
    @response
}
#]

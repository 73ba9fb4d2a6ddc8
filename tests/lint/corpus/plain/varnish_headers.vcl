vcl 4.1;
backend app { .host = "127.0.0.1"; .port = "8501"; }
sub vcl_recv {
    unset req.http.Cookie; //! STL507
    set req.http.Origin = "http://localhost"; //! STL502
    if (req.url ~ "^/public/") {
        unset req.http.X-Xsrftoken;
    }
    if (req.http.upgrade ~ "(?i)websocket") {
        return (pipe);
    }
}
sub vcl_pipe {
    set bereq.http.upgrade = req.http.upgrade;
    set bereq.http.connection = req.http.connection;
}
sub vcl_backend_response {
    unset beresp.http.Set-Cookie; //! STL505
}
sub vcl_deliver {
    set resp.http.X-Frame-Options = "DENY"; //! STL809
    set resp.http.Content-Security-Policy = {"connect-src 'none'"}; //! STL810
    /* set resp.http.Permissions-Policy = "camera=()"; */
    if (req.url ~ "^/other/") {
        set resp.http.Permissions-Policy = "camera=()";
    }
}

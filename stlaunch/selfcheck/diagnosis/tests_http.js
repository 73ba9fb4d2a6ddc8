// tests_http

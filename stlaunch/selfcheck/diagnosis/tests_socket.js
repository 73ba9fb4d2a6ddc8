// tests_socket

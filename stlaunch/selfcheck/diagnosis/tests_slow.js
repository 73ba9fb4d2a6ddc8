// tests_slow

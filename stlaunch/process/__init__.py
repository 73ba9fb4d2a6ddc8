"""This process and its children: PID 1, exit, limits, memory."""

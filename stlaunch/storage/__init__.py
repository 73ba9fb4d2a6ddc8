"""Files that outlive the process: written atomically, in private folders."""

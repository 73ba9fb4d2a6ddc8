"""Files that outlive the process: written whole, in private folders."""

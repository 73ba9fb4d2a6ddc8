"""Base paths, origins, public URLs, and the paths that Streamlit answers."""

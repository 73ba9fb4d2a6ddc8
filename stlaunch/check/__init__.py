"""Check from outside whether a Streamlit app works, and which hop breaks it if not.

Probes use the network and produce observations; rules are pure and turn those into findings. It
imports nothing of Streamlit, starlette or uvicorn, and never prints.
"""

"""What many apps import and show: a table and a chart."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

st.title("Hello")
frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
st.dataframe(frame)
st.altair_chart(alt.Chart(frame).mark_point().encode(x="a", y="b"))

"""
What happened when? Anomalies in a real record
==============================================

The record contains monthly returns of five companies and two stock indexes, 1990 to 2022. It is cut
into windows of a year, on which a detector is trained. Months with large errors are joined to
events. There are no labels, but the events can be compared with what newspapers reported.

The record comes with matplotlib (``Stocks.csv`` of its sample data, under matplotlib's license).
Its source is Yahoo Finance.
"""

# %%
# Use relative changes from month to month, because prices grow a hundredfold and this growth would
# dominate everything else. Three companies that were not listed from the beginning are left out.

import numpy as np
import pandas as pd
from matplotlib import cbook

with cbook.get_sample_data("Stocks.csv") as file:
    prices = pd.read_csv(file, comment="#", index_col="Date", parse_dates=True)
prices = prices.resample("MS").last().dropna(axis="columns")
prices = prices.rename(columns={"^GSPC": "S&P 500", "^IXIC": "Nasdaq"})
returns = np.log(prices).diff().iloc[1:]  # (389, 7)

# %%
# The autoencoder compresses the 84 values of each window to four numbers. These can represent what
# the companies have in common, but not what a single company does alone.

from sklearn_lstmae import (
    LSTMAutoencoderDetector,
    LSTMAutoencoderTransformer,
    find_events,
    sliding_windows,
    unwind,
)

windows, index = sliding_windows(returns, 12)  # (378, 12, 7)
autoencoder = LSTMAutoencoderTransformer(latent_dim=4, epochs=30)
detector = LSTMAutoencoderDetector(autoencoder, contamination=0.05, random_state=0).fit(windows)
print(f"Explained variance: {detector.autoencoder_.score(windows):.2f}")

# %%
# Map the errors back to the record: the error of a month is the mean over the windows that contain
# it. Events consist of the 5 % of months with the largest errors. August 1998, the end of the
# dot-com bubble and March 2020 are among them. The autumn of 2008, when all prices fell together,
# is not. The column "return" is the return of the feature with the largest error in that month.

errors = unwind(detector.errors(windows, per="value"), index)  # a DataFrame like the record
per_month = errors.mean(axis="columns")
threshold = per_month.quantile(0.95)
events = find_events(per_month, threshold, feature_errors=errors, max_gap=1)
events["return"] = [
    f"{np.expm1(returns.loc[event.peak_at, event.worst_feature]):+.0%}"
    for event in events.itertuples()
]
print(events.to_string(index=False))

# %%
# ``predict`` labels whole windows, and so finds unusual years.

labels = detector.predict(windows)
unusual = unwind(labels == -1, index) > 0.5
years = find_events(unusual, 0.5)
for year in years.itertuples():
    print(f"Unusual: {year.start:%B %Y} to {year.end:%B %Y}")

# %%
# Plot prices, errors and events.

import matplotlib.pyplot as plt

from sklearn_lstmae import ErrorDisplay

figure, (top, bottom) = plt.subplots(
    2, 1, figsize=(9, 5), sharex=True, height_ratios=(1.3, 1), layout="constrained"
)
top.plot(prices / prices.iloc[0], linewidth=1, label=list(prices))
top.set(yscale="log", title="prices, the first one being 1")
top.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
top.spines[["top", "right"]].set_visible(False)
display = ErrorDisplay.from_errors(per_month, threshold=threshold, intervals=events, ax=bottom)
bottom.set_ylim(top=1.15 * per_month.max())
bottom.set_title("error of each month; shaded: events; labels: worst stock of the four largest")
for event in events.nlargest(4, "peak").itertuples():
    bottom.annotate(
        event.worst_feature,
        (event.peak_at, event.peak),
        xytext=(2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )
for span in display.spans_:  # shade the events in the upper plot, too
    left, color = span.get_x(), span.get_facecolor()
    top.axvspan(left, left + span.get_width(), color=color, linewidth=0)

# sphinx_gallery_start_ignore
if "__file__" in globals():  # which the gallery does not define: it takes the figure itself
    from pathlib import Path

    picture = Path(__file__).parent / "images" / "anomalies.png"
    figure.savefig(picture, dpi=150)
    print(f"Prices, errors and events: examples/images/{picture.name}")
# sphinx_gallery_end_ignore

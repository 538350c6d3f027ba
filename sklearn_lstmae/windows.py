"""Names that pickles of earlier versions look up here; they live in `sklearn_lstmae.records`.

A pickle names the module of each class and function in it: a ``GridSearchCV`` with
``cv=WindowSplit(...)`` names this one. Code imports `WindowSplit` from `sklearn_lstmae`.
"""

from sklearn_lstmae.records.splitting import WindowSplit
from sklearn_lstmae.records.tables import Source, Table
from sklearn_lstmae.records.windows import WindowIndex, sliding_windows, unwind

__all__ = ["Source", "Table", "WindowIndex", "WindowSplit", "sliding_windows", "unwind"]

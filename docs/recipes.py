"""Searches and transforms on several threads, processes or machines: ``make recipes`` runs them.

``python docs/recipes.py [name ...]`` prints, for each recipe, seconds and, where there are workers,
the largest resident memory of one, and fails if a result is not that of one process.
"""

import os
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from sklearn_lstmae import LSTMAutoencoderTransformer, load, save
from sklearn_lstmae.datasets import make_waves

X, _ = make_waves(600, 24, 2, random_state=0)


def make_autoencoder():
    return LSTMAutoencoderTransformer(latent_dim=4, hidden_units=(8,), epochs=3, random_state=0)


def make_search(**options):
    from sklearn.model_selection import GridSearchCV

    return GridSearchCV(make_autoencoder(), {"latent_dim": [2, 4]}, cv=2, **options)


def memory():
    """Largest resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def search_with_threads(folder):
    import joblib

    expected = make_search().fit(X).cv_results_["mean_test_score"]
    start = time.perf_counter()
    with joblib.parallel_config("threading", n_jobs=2):
        search = make_search().fit(X)
    seconds = time.perf_counter() - start
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)
    return seconds, memory()


def search_on_dask(folder):
    import joblib
    from distributed import Client

    expected = make_search().fit(X).cv_results_["mean_test_score"]
    with Client(n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        start = time.perf_counter()
        with joblib.parallel_backend("dask"):
            search = make_search().fit(X)
        seconds = time.perf_counter() - start
        [worker] = client.run(memory).values()
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-5)
    return seconds, worker


def transform_on_spark(folder):
    import pandas as pd
    from pyspark.sql import SparkSession

    path, model = fitted(folder)
    columns = [f"x{number}" for number in range(X[0].size)]

    def encode(batches):  # the model is loaded once for each partition
        model = load(path)
        for batch in batches:
            codes = model.transform(batch[columns].to_numpy("f4").reshape(-1, *X.shape[1:]))
            table = pd.DataFrame(codes, columns=names)
            yield table.assign(row=batch["row"].to_numpy(), memory=memory())

    table = pd.DataFrame(X.reshape(len(X), -1), columns=columns).assign(row=np.arange(len(X)))
    names = list(model.get_feature_names_out())
    schema = ", ".join([*(f"{name} float" for name in names), "row long", "memory double"])
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", False).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        start = time.perf_counter()
        found = spark.createDataFrame(table).mapInPandas(encode, schema).toPandas()
        seconds = time.perf_counter() - start
    finally:
        spark.stop()
    codes = found.sort_values("row")[names].to_numpy("f4")
    np.testing.assert_array_equal(codes, model.transform(X))
    return seconds, found["memory"].max()


def transform_on_ray(folder):
    import ray

    path, model = fitted(folder)

    class Encoder:  # made once in each worker
        def __init__(self):
            self.model = load(path)

        def __call__(self, batch):
            codes = self.model.transform(batch["x"])
            return {"row": batch["row"], "codes": codes, "memory": np.full(len(codes), memory())}

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        start = time.perf_counter()
        rows = [{"row": row, "x": x} for row, x in enumerate(X)]
        data = ray.data.from_items(rows, override_num_blocks=2)
        mapped = data.map_batches(
            Encoder, batch_size=256, compute=ray.data.ActorPoolStrategy(size=1)
        )
        found = mapped.take_all()
        seconds = time.perf_counter() - start
    finally:
        ray.shutdown()
    codes = np.stack([each["codes"] for each in sorted(found, key=lambda each: each["row"])])
    np.testing.assert_array_equal(codes, model.transform(X))
    return seconds, max(each["memory"] for each in found)


def model_of_mlflow(folder):
    import mlflow.pyfunc

    path, model = fitted(folder)

    class Encoder(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            self.model = load(context.artifacts["autoencoder"])

        def predict(self, context, model_input, params=None):
            return self.model.transform(model_input)

    target = str(Path(folder, "mlflow"))
    mlflow.pyfunc.save_model(
        target,
        python_model=Encoder(),
        artifacts={"autoencoder": str(path)},
        pip_requirements=["sklearn-lstmae"],
    )
    start = time.perf_counter()
    codes = mlflow.pyfunc.load_model(target).predict(X)
    np.testing.assert_array_equal(codes, model.transform(X))
    return time.perf_counter() - start, memory()


def fitted(folder):
    """Path of a saved model, and the model."""
    path, model = Path(folder, "autoencoder.lstmae"), make_autoencoder().fit(X)
    save(model, path)
    return path, model


RECIPES = {
    "threads": search_with_threads,
    "dask": search_on_dask,
    "spark": transform_on_spark,
    "ray": transform_on_ray,
    "mlflow": model_of_mlflow,
}


def main(names):
    warnings.filterwarnings("ignore", "The fit is no better")
    for name in names or RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            seconds, megabytes = RECIPES[name](folder)
        print(f"{name}: {seconds:.1f} s, {megabytes:.0f} MB a process", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

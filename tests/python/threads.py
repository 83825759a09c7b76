"""Callbacks, interruption, several threads and child processes."""
import ctypes
import multiprocessing
import signal
import threading

from common import DEFAULT, raises
import ddpm
from ddpm import library


def test_callback_and_interruption():
    """A callback sees every step of every batch.  What it raises ends the run, as Ctrl-C does between two steps."""
    model, calls = ddpm.Model.default(batch=2), []
    expected = model.sample(5, steps=3, callback=lambda done, total: calls.append((done, total)))
    assert calls == [(k, 9) for k in range(1, 10)]

    def interrupt(done, total):
        signal.raise_signal(signal.SIGINT)

    for kind, callback in (KeyboardInterrupt, interrupt), (ZeroDivisionError, lambda done, total: 1 / 0):
        try:
            model.sample(5, steps=3, callback=callback)
            raise AssertionError("the run went on")
        except kind:
            pass
    assert model.sample(5, steps=3, callback=lambda done, total: model.sample(1, steps=1)).tobytes() == expected.tobytes()


def test_interpreter_goes_on_while_the_network_runs():
    """Functions of a CDLL release the interpreter's lock; those of a PyDLL hold it."""
    assert type(library.lib) is ctypes.CDLL


def test_threads_wait_for_each_other():
    model, found = ddpm.Model.open(DEFAULT, threads=1), {}
    workers = [threading.Thread(target=lambda seed: found.__setitem__(seed, model.sample(1, steps=4, seed=seed)), args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed in range(4):
        assert found[seed].tobytes() == model.sample(1, steps=4, seed=seed).tobytes()


def test_two_models_in_two_threads():
    models, found = [ddpm.Model.open(DEFAULT, threads=2) for _ in range(2)], {}
    workers = [threading.Thread(target=lambda k: found.__setitem__(k, models[k].sample(1, steps=4, seed=k)), args=(k,))
               for k in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for k in range(2):
        assert found[k].tobytes() == models[1 - k].sample(1, steps=4, seed=k).tobytes()


def sample_in_child(model, results):
    with ddpm.Model.open(DEFAULT, threads=2) as own:
        for each in model, own:
            results.put(each.sample(1, steps=4, seed=5).tobytes())


def test_fork_after_use():
    """A child of multiprocessing goes on with its parent's model, and opens one of its own; neither may wait for
    threads that are not there."""
    model, context = ddpm.Model.open(DEFAULT, threads=2), multiprocessing.get_context("fork")
    image, results = model.sample(1, steps=4, seed=5).tobytes(), context.Queue()
    child = context.Process(target=sample_in_child, args=(model, results), daemon=True)
    child.start()
    assert [results.get(timeout=100) for _ in range(2)] == [image, image]
    child.join(100)
    assert child.exitcode == 0
    assert model.sample(1, steps=4, seed=5).tobytes() == image

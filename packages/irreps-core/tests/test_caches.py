"""Caches hold at most so many bytes together; results stay right while they are emptied."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import irreps_core as ic
from irreps_core._inputs import _caches


@pytest.fixture(autouse=True)
def limit(monkeypatch):
    ic.clear_caches()
    monkeypatch.setattr(_caches, "LIMIT", 1_000_000)
    yield
    ic.clear_caches()


def test_the_bytes_of_all_caches_are_limited():
    calls = []

    @ic.cached()
    def large(n):
        calls.append(n)
        return np.zeros(30_000)  # 240 kB

    @ic.cached()
    def small(n):
        calls.append(-n)
        return np.zeros(1_000)

    small(1)
    for n in range(100):
        large(n)
        assert sum(_caches._held.values()) <= _caches.LIMIT
    assert len(calls) == 101
    large(99)
    small(1)
    assert len(calls) == 101  # the latest is kept, and the cache that holds little
    large(0)
    assert len(calls) == 102


def test_a_result_larger_than_the_limit_is_returned_but_not_kept():
    calls = []

    @ic.cached()
    def huge():
        calls.append(1)
        return {"a": (np.zeros(200_000),)}

    assert huge()["a"][0].shape == huge()["a"][0].shape == (200_000,)
    assert not huge()["a"][0].flags.writeable
    assert len(calls) == 3
    assert sum(_caches._held.values()) == 0


def test_recursion_errors_methods_and_clearing():
    class Counter:
        @ic.cached()
        def sum(self, n):
            if n < 0:
                raise ValueError(n)
            return np.full(5_000, n) + (self.sum(n - 1) if n else 0)

    counter = Counter()
    assert counter.sum(60)[0] == 60 * 61 // 2
    with pytest.raises(ValueError, match="-1"):
        counter.sum(-1)
    ic.clear_caches()
    assert not _caches._held
    assert counter.sum(60)[0] == 60 * 61 // 2


def test_dense_coefficients_of_high_degree_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(_caches, "LIMIT", 20_000_000)
    for l in range(20, 40):
        assert ic.clebsch_gordan(l, l, l).nbytes == 8 * (2 * l + 1) ** 3  # 0.5 to 4 MB, 40 MB in total
        assert sum(_caches._held.values()) <= 20_000_000


def test_threads_get_the_same_results():
    barrier = threading.Barrier(8)

    def work(seed: int) -> bool:
        barrier.wait()
        right = True
        for n in range(100):
            l = (n * 7 + seed) % 12
            c = ic.clebsch_gordan(l, l, 0)
            right &= bool(np.allclose(np.abs(c[np.arange(2 * l + 1), np.arange(2 * l + 1), 0]), (2 * l + 1) ** -0.5))
            if n % 17 == seed:
                ic.clear_caches()
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_sizes_are_those_of_the_arrays_inside():
    x = np.zeros(1000)
    for value in (x, [x, x], {"a": (x,)}, ic.IrrepsArray("0e", x[:, None]), (ic.Irreps("0e"), x)):
        assert 8000 <= _caches.size_in_memory(value) < 9000

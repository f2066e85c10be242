"""Clusters with TLS, clusters that grow and shrink, and workers of which some have a GPU."""

import datetime
import ipaddress
import os
import signal
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

from tests.faults.conftest import cluster, hashes
from tests.faults.test_cluster_faults import Said
from zero_engine.errors import InputError
from zero_engine.pipeline import Dask
from zero_engine.run import run_pipeline
from zero_engine.run.on_dask import OnDask

pytestmark = pytest.mark.slow

SECTIONS = {"records": 24, "output": {"rows_per_shard": 1}}


def place(pipeline, name: str):
    """The same pipeline with another output folder."""
    out = str(Path(pipeline.output.path).with_name(name))
    return pipeline.model_copy(update={"output": pipeline.output.model_copy(update={"path": out})})


def test_a_cluster_that_starts_workers_for_tasks_alone_starts_one():
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as running:
        running.adapt(minimum=0, maximum=1, interval="50ms")
        with Client(running) as client:
            executor = OnDask(client, Dask(workers_timeout_s=30))
            assert executor.workers == 1
            assert executor.submit(len, (1, 2)).result() == 2


def test_shards_go_to_gpus_where_there_are_some_and_a_gpu_joins_no_run_of_cpus():
    options = {"n_workers": 1, "processes": False, "dashboard_address": None}
    said = []
    with LocalCluster(**options, resources={"GPU": 1}) as running, Client(running) as client:
        assert OnDask(client, Dask())._resources == {"GPU": 1}
        assert OnDask(client, Dask(), device="cpu")._resources is None
        executor = OnDask(client, Dask(), say=said.append)
        executor._resources = None  # as if it had come later
        executor._look_at_new(client.scheduler_info()["workers"])
    assert "a GPU draws other pictures" in said[0]


@pytest.fixture
def certificates(tmp_path) -> dict[str, str]:
    """Files of an authority and of one certificate for everybody, as distributed's settings."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes as digests
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cluster")])
    now = datetime.datetime.now(datetime.UTC)
    local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(local, critical=False)
        .sign(key, digests.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(encoding))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(encoding, plain, serialization.NoEncryption()))
    settings = {"ca-file": str(tmp_path / "cert.pem")}
    for role in ("client", "scheduler", "worker"):
        settings |= {f"{role}.cert": str(tmp_path / "cert.pem"), f"{role}.key": str(tmp_path / "key.pem")}
    return {f"distributed.comm.tls.{name}": value for name, value in settings.items()}


@pytest.mark.soak
def test_tls_carries_a_run_and_refuses_a_driver_without_certificates(poisonable, make_run, certificates):
    plain = run_pipeline(make_run("plain", **SECTIONS))
    variables = {
        f"DASK_{name.upper().replace('.', '__').replace('-', '_')}": path
        for name, path in certificates.items()
    }
    required = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"}
    with cluster(2, {**poisonable, **variables, **required}, "tls") as running:
        pipeline = place(
            make_run("plain", dask={"scheduler": running.address, "workers_timeout_s": 60}, **SECTIONS), "out"
        )
        with dask.config.set({**certificates, "distributed.comm.require-encryption": True}):
            there = run_pipeline(pipeline)
        for address in (running.address, running.address.replace("tls", "tcp")):
            short = pipeline.dask.model_copy(update={"scheduler": address, "workers_timeout_s": 5})
            with pytest.raises(InputError, match="cannot be reached") as caught:
                run_pipeline(place(pipeline.model_copy(update={"dask": short}), "refused"))
            assert "\n" not in str(caught.value)
    assert hashes(there.out) == hashes(plain.out)


@pytest.mark.soak
@pytest.mark.parametrize("minimum", [0, 1])
def test_a_cluster_that_grows_and_shrinks_changes_no_byte(poisonable, make_run, monkeypatch, minimum):
    plain = run_pipeline(make_run("plain", **SECTIONS))
    monkeypatch.setenv("ZERO_ENGINE_SLOW", "0.1")
    with LocalCluster(n_workers=0, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as running:
        running.adapt(minimum=minimum, maximum=3, interval="200ms", wait_count=5, target_duration="300ms")
        dask_section = {"scheduler": running.scheduler_address, "workers_timeout_s": 60}
        there = run_pipeline(place(make_run("plain", dask=dask_section, **SECTIONS), "out"))
    assert hashes(there.out) == hashes(plain.out) and there.workers > 1


@pytest.mark.soak
def test_beside_a_worker_with_a_gpu_others_of_any_size_make_nothing(poisonable, make_run):
    """The GPU is announced, not there: what is tried is who gets the shards, and what is said when it leaves."""
    plain = run_pipeline(make_run("plain", **SECTIONS))
    with cluster(1, {**poisonable, "ZERO_ENGINE_SLOW": "0.1"}) as running:
        gpu = running.add_worker("--resources", "GPU=1", "--memory-limit", "1GB", "--name", "with-gpu")
        with Client(running.address) as client:
            client.wait_for_workers(2, timeout=60)
        section = {"scheduler": running.address, "workers_timeout_s": 60}
        pipeline = place(make_run("plain", dask=section, **SECTIONS), "out")
        there = run_pipeline(pipeline)
        assert there.workers == 1 and hashes(there.out) == hashes(plain.out)
        leave = Said(3, lambda: os.killpg(gpu.pid, signal.SIGKILL))
        short = pipeline.dask.model_copy(update={"workers_timeout_s": 8})
        with pytest.raises(InputError, match="no worker with a GPU is left"):
            run_pipeline(place(pipeline.model_copy(update={"dask": short}), "left"), progress=leave)

from tests.faults.conftest import hashes
from zero_engine.run import run_pipeline
from tests.store.conftest import forget


def test_smoke(store, make_text, tmp_path):
    run_pipeline(make_text(str(tmp_path / "local")))
    url = "s3://corpus/a/b"
    run_pipeline(make_text(url))
    print(store.names())
    saved = store.save("a/b", tmp_path / "saved")
    assert hashes(saved) == hashes(tmp_path / "local")
    assert hashes(saved)
    again = run_pipeline(make_text(url))
    print(again.plan.as_dict(), again.out)
    from zero_engine import open_dataset

    print(open_dataset(url))
    from zero_engine.write.validate import validate_dataset

    assert all(c.ok for c in validate_dataset(url)), validate_dataset(url)
    from zero_engine.report import write_report

    print(write_report(url))
    from zero_engine.run.status import folder_status

    print(folder_status(url))
    print(store.names())

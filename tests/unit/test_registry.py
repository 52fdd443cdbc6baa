"""Names are found whoever asks first."""

import sys
import threading

from textseg.registry import Registry


def test_a_thread_that_asks_while_another_imports_waits_for_all_names(tmp_path, monkeypatch):
    package = tmp_path / "slow_kinds"
    package.mkdir()
    (package / "__init__.py").write_text("")
    module = "import gate\n\ngate.entered.set()\ngate.go.wait(10)\ngate.registry.register('one')(1)"
    (package / "one.py").write_text(module)
    (tmp_path / "gate.py").write_text("import threading\n\nentered, go = threading.Event(), threading.Event()")
    monkeypatch.syspath_prepend(tmp_path)
    import gate

    gate.registry = registry = Registry("kind", "slow_kinds")
    first = threading.Thread(target=registry.get, args=("one",))
    first.start()
    assert gate.entered.wait(10)
    threading.Timer(0.05, gate.go.set).start()
    assert registry.get("one") == 1
    first.join()
    for name in ("gate", "slow_kinds", "slow_kinds.one"):
        sys.modules.pop(name, None)

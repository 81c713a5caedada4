import os, select, pytest, signal, time
from pathlib import Path
@pytest.mark.parametrize("n", range(30))
def test_c(taught, n):
    taught.forget()
    with taught.terminal("adopt", columns=40) as t:
        t.until("[Y/n]: ")
        p=t._process.pid
        seen=[]
        for i in range(2000):
            st=Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()[0]; sc=Path(f"/proc/{p}/syscall").read_text()[:12]; wc=Path(f"/proc/{p}/wchan").read_text()
            if not seen or seen[-1]!=(st,sc,wc): seen.append((st,sc,wc))
            if sc.startswith("0 0x0"): break
        os.write(t._master, b"\x03")
        end=time.time()+5
        while t._process.poll() is None and time.time()<end:
            r,_,_=select.select([t._master],[],[],0.2)
            if r and not t._more(): break
        print(n, seen)
        if t._process.poll() is None and time.time()>=end:
            print("HUNG")
            n0=len(t.shown)
            os.kill(p, signal.SIGINT)
            code=t.done()
            print(code, repr(t.shown[n0:]))
            assert False

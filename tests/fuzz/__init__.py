"""What others wrote, read: no traceback, no hang, nothing that steers a terminal; a value that makes sense, or words.

The same cases each time, few enough for every change. For a night's worth of new ones: `CURRI_TEST_FUZZ=1000 make test`,
which tries a thousand times as many, by chance; what fails is then made an example beside its test.
"""

#!/usr/bin/python3
"""traces.py DIR: DIR/NAME.txt for seven networks, 10 minutes of 20 ms packets; a line is "seq send_ms arrival_ms", -1 for lost."""
import sys

import numpy as np

N, BASE = 30000, 5.0
rng = np.random.default_rng(20261122)
t = np.arange(N) * 20.0


def write(name, sent, arrived):
    with open(f'{sys.argv[1]}/{name}.txt', 'w', encoding='ascii') as f:
        for i in range(N):
            f.write(f'{i} {sent[i]:.3f} {arrived[i]:.3f}\n')


write('lan', t, t + BASE + np.abs(rng.normal(0, .3, N)))

# Stalls of 40 to 120 ms, one in 3 s, after which the queue comes in a burst; 0.2 % loss.
a, stall = t + BASE + rng.exponential(1.5, N), 0
while stall < N * 20:
    stall += rng.exponential(3000)
    length = rng.uniform(40, 120)
    m = (a >= stall) & (a < stall + length)
    a[m] = stall + length + np.arange(m.sum()) * 0.4
a[rng.random(N) < .002] = -1
write('wifi', t, a)

a = t + BASE + rng.exponential(2, N)
a[rng.random(N) < .02] = -1
write('loss2', t, a)

# Gilbert's model: 5 % loss in bursts of three packets on average.
a, bad, leave = t + BASE + rng.exponential(3, N), False, 1 / 3
for i in range(N):
    bad = rng.random() >= leave if bad else rng.random() < leave * 0.05 / 0.95
    if bad:
        a[i] = -1
write('gilbert5', t, a)

# Delays that follow each other (autoregression), 0 to 90 ms around 30; 0.5 % loss.
d, x = np.zeros(N), 0
for i in range(N):
    x = 0.6 * x + 0.8 * rng.normal()
    d[i] = np.clip(30 + 15 * x, 0, 90)
a = t + BASE + d
a[rng.random(N) < .005] = -1
write('jitter60', t, a)

for name, ppm in (('drift_fast', 100), ('drift_slow', -100)):
    sent = t * (1 - ppm * 1e-6)
    write(name, sent, sent + BASE + rng.exponential(2, N))

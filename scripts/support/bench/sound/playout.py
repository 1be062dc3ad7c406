#!/usr/bin/python3
"""playout.py LAB SPANDSP TRACES SPEECH.wav DIR: the jitter buffer on all traces, concealment against spandsp's on two of them."""
import subprocess
import sys

import numpy as np
from report import bench
from score import frames, log_spectral_distance, stoi
from scipy.io import wavfile

lab, spandsp, traces, speech, work = sys.argv[1:6]
# Profile: files, milliseconds added on average and share concealed (network loss included) that are to be kept.
GOALS = {'lan': (['lan'], 15, .05), 'wifi': (['wifi'], 60, 1.5), 'loss2': (['loss2'], 20, 2.2), 'gilbert5': (['gilbert5'], 25, 5.4),
         'jitter60': (['jitter60'], 70, 1.3), 'drift-fast': (['drift_fast'], 20, .05), 'drift-slow': (['drift_slow'], 20, .05)}


def aligned(reference, y, block=16000, most=200):
    """y as it would be without delay, found anew every 2 s: the jitter buffer's delay changes."""
    y = np.concatenate([y, np.zeros(len(reference) + block + most - len(y))])
    parts = []
    for at in range(0, len(reference), block):
        part = reference[at:at + block]
        lag = max(range(most), key=lambda k: np.dot(part, y[at + k:at + k + len(part)]))
        parts.append(y[at + lag:at + lag + len(part)])
    return np.concatenate(parts)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


for name, (files, mean_ms, concealed) in GOALS.items():
    for file in files:
        mean, p95, share = (float(v) for v in run(lab, 'jitter', f'{traces}/{file}.txt').split())
        bench(f'jitter-{name}-mean', mean, 'ms', 'goal', mean_ms)
        print(f'jitter {name}: p95 {p95} ms', file=sys.stderr)
        bench(f'jitter-{name}-concealed', share, '%', 'goal', concealed)

rate, reference = wavfile.read(speech)
reference = reference.astype(float)
for name in ('loss2', 'gilbert5'):
    arrival = np.loadtxt(f'{traces}/{name}.txt')
    n = len(reference) // 160
    lost = np.zeros(n, bool)
    gone = arrival[arrival[:, 2] < 0, 0].astype(int)
    lost[gone[gone < n]] = True
    power = np.mean(frames(reference, 160) ** 2, 1)
    chosen = lost & (power > np.percentile(power, 99) * 1e-3)
    figures = {}
    for who, tool in (('ours', lab), ('spandsp', spandsp)):
        out = f'{work}/concealed-{who}.wav'
        run(tool, 'conceal', speech, f'{traces}/{name}.txt', out)
        y = aligned(reference, wavfile.read(out)[1].astype(float))
        figures[who] = log_spectral_distance(reference, y, rate, chosen), stoi(reference, y, rate)
    print(f'concealment {name}: {chosen.sum()} lost active frames', file=sys.stderr)
    bench(f'conceal-{name}-distance', figures['ours'][0], 'dB', 'spandsp', figures['spandsp'][0])
    bench(f'conceal-{name}-stoi', figures['ours'][1], 'STOI', 'spandsp', figures['spandsp'][1])

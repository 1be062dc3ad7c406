#!/usr/bin/python3
"""g722.py LAB SPANDSP SPEECH.wav DIR ENCODE_US DECODE_US: octets and samples that differ from spandsp's, and its time for 20 ms
beside ours, which the caller has measured.
"""
import re
import subprocess
import sys

import numpy as np
from report import bench
from scipy.io import wavfile

lab, spandsp, speech, work, ours_encode, ours_decode = sys.argv[1:7]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def us(text):
    return float(re.search(r'us_per_20ms ([\d.]+)', text)[1])


a, b = f'{work}/ours', f'{work}/spandsp'
run(lab, 'g722', 'encode', speech, a + '.g722')
encode_us = us(run(spandsp, 'encode', speech, b + '.g722'))
with open(a + '.g722', 'rb') as f, open(b + '.g722', 'rb') as g:
    x, y = (np.frombuffer(h.read(), np.uint8) for h in (f, g))
bench('g722-encode-octets-different', np.sum(x != y) if len(x) == len(y) else len(y), 'octets', 'goal', 0)
run(lab, 'g722', 'decode', b + '.g722', a + '.wav')
decode_us = us(run(spandsp, 'decode', b + '.g722', b + '.wav'))
x, y = wavfile.read(a + '.wav')[1], wavfile.read(b + '.wav')[1]
bench('g722-decode-samples-different', np.sum(x != y) if len(x) == len(y) else len(y), 'samples', 'goal', 0)
bench('g722-encode-20ms', float(ours_encode), 'us', 'spandsp', encode_us)
bench('g722-decode-20ms', float(ours_decode), 'us', 'spandsp', decode_us)

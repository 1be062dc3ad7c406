#!/usr/bin/python3
"""dtmf.py LAB SPANDSP SPEECH.wav DIR: digits in noise, off frequency, with twist, and in speech, heard by both detectors."""
import difflib
import subprocess
import sys

import numpy as np
from report import bench
from scipy.io import wavfile

lab, spandsp, speech, work = sys.argv[1:5]
FS, KEYS = 8000, '123A456B789C*0#D'
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
DIGITS = KEYS * 10
rng = np.random.default_rng(1)


def tone(key, ms, level, off=1.0, twist=0.0):
    """One digit; level is dBFS of the sum, 0 being a full-scale square wave; twist is high minus low group in dB."""
    t, k = np.arange(FS * ms // 1000) / FS, KEYS.index(key)
    low, high = (np.sin(2 * np.pi * f * off * t + p) for f, p in zip((ROWS[k // 4], COLUMNS[k % 4]), rng.uniform(0, 2 * np.pi, 2)))
    x = low + high * 10 ** (twist / 20)
    return x / np.sqrt((1 + 10 ** (twist / 10)) / 2) * 32768 * 10 ** (level / 20)


def series(digits, on, pause, level, snr=None, **kind):
    """Digits with pauses; snr is in the telephone band of 4 kHz, during a digit."""
    x = np.concatenate([np.zeros(FS // 2)] + [np.concatenate([tone(d, on, level, **kind), np.zeros(FS * pause // 1000)]) for d in digits] +
                       [np.zeros(FS // 2)])
    if snr is not None:
        x += rng.standard_normal(len(x)) * 32768 * 10 ** ((level - snr) / 20)
    return x


def heard(path):
    return {who: subprocess.run([tool, 'dtmf', path], check=True, capture_output=True, text=True).stdout.strip()
            for who, tool in (('ours', lab), ('spandsp', spandsp))}


def right(want, got):
    return sum(b.size for b in difflib.SequenceMatcher(None, want, got, autojunk=False).get_matching_blocks())


for name, digits, goal, x in (
        ('noise-snr10', DIGITS, 160, series(DIGITS, 40, 40, -35, snr=10)),
        ('off+1.5%', KEYS, 16, series(KEYS, 50, 50, -20, off=1.015)),
        ('off-1.5%', KEYS, 16, series(KEYS, 50, 50, -20, off=0.985)),
        ('off+3.5%', KEYS, 0, series(KEYS, 50, 50, -20, off=1.035)),
        ('off-3.5%', KEYS, 0, series(KEYS, 50, 50, -20, off=0.965)),
        ('twist+6dB', KEYS, 16, series(KEYS, 50, 50, -20, twist=6)),
        ('twist-6dB', KEYS, 16, series(KEYS, 50, 50, -20, twist=-6))):
    wavfile.write(f'{work}/dtmf.wav', FS, np.clip(np.round(x), -32768, 32767).astype(np.int16))
    got = heard(f'{work}/dtmf.wav')
    counts = {who: right(digits, text) for who, text in got.items()}
    print(f'dtmf {name}: goal {goal} of {len(digits)}; ours {got["ours"]}', file=sys.stderr)
    bench(f'dtmf-{name}', counts['ours'], 'digits', 'spandsp', counts['spandsp'])
    if len(got['ours']) > counts['ours']:
        print(f'dtmf {name}: ours heard {len(got["ours"]) - counts["ours"]} digits that nobody sent', file=sys.stderr)
rate, x = wavfile.read(speech)
got = heard(speech)
print(f'dtmf in speech: {len(x) / rate / 60:.1f} minutes; ours "{got["ours"]}", spandsp "{got["spandsp"]}"', file=sys.stderr)
bench('dtmf-false-in-speech', len(got['ours']), 'digits', 'spandsp', len(got['spandsp']))

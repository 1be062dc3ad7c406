#!/usr/bin/python3
"""echo.py LAB SPEEX DIR SEED...: both cancellers over the scenes DIR/SEED of scenes.py; means over the scenes s2 to s8.

In the scenes both ends talk at once only when the canceller has had 20 s for itself. "at-start" and "after-change" are the same double
talk 1 s after the begin of the call, and 2 s after the echo path's change; 16 kHz alone.
"""
import glob
import os
import re
import subprocess
import sys

import numpy as np
from report import bench
from score import aligned, load, score, speech, talk_at
from scipy.io import wavfile

lab, speex, base = sys.argv[1:4]
FIGURES = (('erle_first', 'dB'), ('erle_converged', 'dB'), ('erle_after_talk', 'dB'), ('erle_after_change', 'dB'), ('stoi_talk', 'STOI'),
           ('gain_talk', 'dB'), ('cut_talk', 'share'), ('stoi_near', 'STOI'), ('cpu', 'ms/s'))
OTHER_TALK = (('at_start', 1), ('after_change', 46))
OTHER_FIGURES = tuple((f'{k}_talk_{name}', unit) for name, _ in OTHER_TALK for k, unit in (('stoi', 'STOI'), ('gain', 'dB'), ('cut', 'share')))
results = {}
for seed in sys.argv[4:]:
    for d in sorted(glob.glob(f'{base}/{seed}/s*k')):
        name, sound = os.path.basename(d), load(d)
        for who, command in (('ours', [lab, 'echo']), ('speex', [speex])):
            out = f'{base}/{who}.wav'
            p = subprocess.run(command + [f'{d}/far.wav', f'{d}/mic.wav', out], check=True, capture_output=True, text=True)
            r = score(sound, out)
            r['cpu'] = float(re.search(r'cpu_ms_per_s ([\d.]+)', p.stdout)[1])
            results.setdefault(name, {}).setdefault(who, []).append(r)
        a, b = (results[name][who][-1] for who in ('ours', 'speex'))
        for what, begin in OTHER_TALK if name.endswith('_16k') else ():
            moved, mic = talk_at(sound, begin), f'{base}/mic.wav'
            wavfile.write(mic, moved['rate'], moved['mic'].astype('int16'))
            for who, command in (('ours', [lab, 'echo']), ('speex', [speex])):
                out = f'{base}/{who}.wav'
                subprocess.run(command + [f'{d}/far.wav', mic, out], check=True, capture_output=True)
                o, near = aligned(moved, out)
                figures = speech(near, o, moved['rate'], begin, begin + 10)
                results[name][who][-1].update(zip((f'{k}_talk_{what}' for k in ('stoi', 'gain', 'cut')), figures))
        print(f'echo {seed} {name:16}', *(f'{k}={a[k]:.2f}/{b[k]:.2f}' for k, _ in FIGURES), file=sys.stderr)
for rate in ('16k', '8k'):
    names = [n for n in sorted(results) if n.endswith('_' + rate)]
    middle = [n for n in names if n[1] in '2345678']
    if not middle:
        continue
    figures = FIGURES + (OTHER_FIGURES if rate == '16k' else ())
    mean = {who: {k: np.mean([r[k] for n in middle for r in results[n][who]]) for k, _ in figures} for who in ('ours', 'speex')}
    for k, unit in figures:
        bench(f'echo-{rate}-{k.replace("_", "-")}', mean['ours'][k], unit, 'speex', mean['speex'][k])
    for k, _ in FIGURES[:4]:
        # One seed of one scene: where we are least ahead of the peer, or most behind.
        worst = min(((a[k] - b[k], a[k], b[k], n) for n in names for a, b in zip(results[n]['ours'], results[n]['speex'])))
        bench(f'echo-{rate}-worst-{k.replace("_", "-")}-{worst[3].split("_")[0]}', worst[1], 'dB', 'speex', worst[2])

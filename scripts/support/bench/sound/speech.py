#!/usr/bin/python3
"""speech.py OUT.wav SECONDS [RATE]: several voices in turn, at -20 dBFS while they speak, 8 kHz unless told otherwise."""
import subprocess
import sys

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly

TEXTS = {
    'en-gb': "Good morning, I have a parcel for the family on the second floor, and I need a signature. The lift is out of order again, so it "
             "took me a while to climb the stairs. Shall I leave it with your neighbour, or may I put it down in front of the door?",
    'de': "Guten Tag, hier ist die Heizungsfirma, wir haben einen Termin um halb zehn. Könnten Sie uns bitte das Tor aufmachen, wir stehen mit dem "
          "Lieferwagen auf der Straße und halten den ganzen Verkehr auf. Es dauert höchstens eine Stunde.",
    'fr': "Bonjour, je viens pour relever le compteur d'eau. Votre voisine m'a dit que vous étiez à la maison cet après-midi. Je peux repasser "
          "demain matin si vous préférez, mais pas avant onze heures et quart.",
    'es': "Hola, somos los nuevos vecinos de la casa de enfrente. Queríamos presentarnos e invitarles a tomar un café el domingo por la tarde. "
          "Vengan cuando quieran, estaremos en el jardín.",
}
VARIANTS = ('', '+m3', '+f2', '+m7', '+f4', '+croak')
out, seconds, rate = sys.argv[1], float(sys.argv[2]), int((sys.argv[3:] or ['8000'])[0])
said, length, k = [], 0, 0
while length < seconds * rate:
    language, variant = list(TEXTS)[k % 4], VARIANTS[k // 4 % 6]
    # From the second round on, each voice speaks at another speed and pitch, so that no sound comes twice.
    subprocess.run(['espeak-ng', '-v', language + variant, '-s', str(150 + k * 7 % 50), '-p', str(30 + k * 11 % 50), '-w', out,
                    TEXTS[language]], check=True)
    r, x = wavfile.read(out)
    x = resample_poly(x.astype(float), rate, r)
    x *= 3277 / np.sqrt(np.mean(x[np.abs(x) > 0.02 * np.abs(x).max()] ** 2))
    said += [x, np.zeros(rate // 3)]
    length += len(x) + rate // 3
    k += 1
y = np.concatenate(said)[:int(seconds * rate)]
wavfile.write(out, rate, np.clip(np.round(y), -32768, 32767).astype(np.int16))

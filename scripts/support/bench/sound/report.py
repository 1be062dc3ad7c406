"""The one form of a result."""


def bench(name, ours, unit, peer, theirs):
    """Prints a BENCH line. A peer named goal is a figure to reach, not a measurement."""
    ratio = 'nan' if theirs == 0 else f'{ours / theirs:.3f}'
    print(f'BENCH {name} ours={ours:.6g} unit={unit} peer={peer}:{theirs:.6g} ratio={ratio}', flush=True)

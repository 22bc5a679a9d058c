# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bar chart: reads a second of every file, for each server, as a part of the floor's."""

COLOURS = {"lxcfs": "#2a6f97", "debian": "#c9ada7", "other": "#9a8c98"}
LABELS = {"lxcfs": "lxcfs", "debian": "LXCFS 5.0.3", "other": "other"}
LEFT, WIDTH, BAR, GAP = 190, 560, 12, 12


def draw(results, caption):
    names = [n for n in COLOURS if n in results[0][1]]
    row = BAR * len(names) + GAP
    height = 60 + row * len(results) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 50}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="20" font-size="14">Reads a second, 8 readers in a container; '
           'an empty FUSE server is 1</text>']
    for i, name in enumerate(names):
        out.append(f'<rect x="{LEFT + i * 120}" y="32" width="10" height="10" '
                   f'fill="{COLOURS[name]}"/><text x="{LEFT + i * 120 + 15}" y="42">'
                   f'{LABELS[name]}</text>')
    for i, (file, result) in enumerate(results):
        top = 60 + i * row
        out.append(f'<text x="{LEFT - 8}" y="{top + row / 2}" text-anchor="end">'
                   f'{file.replace("sys/devices/system/", "")}</text>')
        for k, name in enumerate(names):
            if name not in result:
                continue
            part = result[name]["per_s"] / result["floor"]["per_s"]
            length = min(part, 1.1) * WIDTH / 1.1
            out.append(f'<rect x="{LEFT}" y="{top + k * BAR}" width="{length:.0f}" '
                       f'height="{BAR - 1}" fill="{COLOURS[name]}"/>'
                       f'<text x="{LEFT + length + 4:.0f}" y="{top + k * BAR + 10}" '
                       f'font-size="10">{part:.2f}</text>')
    line = LEFT + WIDTH / 1.1
    out.append(f'<line x1="{line:.0f}" y1="52" x2="{line:.0f}" y2="{height - 30}" '
               'stroke="#555" stroke-dasharray="3 3"/>')
    out.append(f'<text x="10" y="{height - 10}" fill="#555">{caption}</text></svg>\n')
    return "\n".join(out)

# SPDX-License-Identifier: GPL-2.0
"""What the bench measured, for people: a table, timelines to scale, a plot."""
from xml.sax.saxutils import escape

COLOURS = ("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#9c755f")
STYLE = "font-family='sans-serif' font-size='12'"


def ms(ns):
    return f"{ns / 1e6:.3f}"


def contender_lines(contenders):
    lines = [f"{'contender':26} {'blackout':>12}  {'spread':>7}  phases, ms"]
    for c in contenders:
        phases = "  ".join(f"{p['name']} {ms(p['ns'])}" for p in c["phases"])
        phases += f"  (longest pause after it: {ms(max(c['later_ns']))})"
        lines.append(f"{c['name']:26} {ms(c['blackout_ns']):>9} ms  {c['spread']:>6.2%}  {phases}")
    by_name = {c["name"]: c["blackout_ns"] for c in contenders}
    ours = by_name.get("khctl-device")
    for name, ns in by_name.items():
        if ours and name.startswith("stock-"):
            lines.append(f"  {name} / khctl-device = {ns / ours:.2f}")
    return lines


def threads(point, first):
    """How much longer than the smallest point, under icount and with multi-threaded TCG."""
    if not point.get("threads_ns"):
        return ""
    return (f"  times {point['blackout_ns'] / first['blackout_ns']:.2f}, with threads times"
            f" {point['threads_ns'] / first['threads_ns']:.2f}")


def table(report):
    lines = contender_lines(report["contenders"])
    first = {}
    for g in report["growth"]:
        first.setdefault(g["what"], g)
        each = f"  each VM: {', '.join(ms(n) for n in g['per_vm_ns'])}" if len(g["per_vm_ns"]) > 1 else ""
        lines.append(f"{g['what']:10} {g['value']:>3} {g['unit']:4} {ms(g['blackout_ns']):>12} ms{each}{threads(g, first[g['what']])}")
    for s in report["steady_state"]:
        lines.append(f"{s['name']:26} stock {ms(s['stock_ns']):>10} ms  patched {ms(s['patched_ns']):>10} ms  ratio {s['ratio']:.4f}")
    if report["kram"]:
        lines.append(f"KRAM: {report['kram']['bytes_per_gib']} bytes per GiB of guest, {report['kram']['bytes_fixed']} beside them")
    return "\n".join(lines)


def svg(width, height, body):
    return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' {STYLE}>"
            f"<rect width='{width}' height='{height}' fill='white'/>{''.join(body)}</svg>\n")


def timeline_svg(result, width=1000):
    """One bar, phases to scale, and what each took."""
    total = sum(p["ns"] for p in result["phases"])
    at, body = 20.0, [f"<text x='20' y='24' font-size='15'>{escape(result['name'])}: {ms(result['blackout_ns'])} ms"
                      " from the guest's last instruction to its next</text>"]
    for i, phase in enumerate(result["phases"]):
        colour, length = COLOURS[i % len(COLOURS)], phase["ns"] * (width - 40) / total
        body.append(f"<rect x='{at:.2f}' y='40' width='{length:.2f}' height='40' fill='{colour}'/>")
        body.append(f"<rect x='20' y='{110 + i * 22}' width='14' height='14' fill='{colour}'/>"
                    f"<text x='42' y='{122 + i * 22}'>{escape(phase['name'])}</text>"
                    f"<text x='260' y='{122 + i * 22}' text-anchor='end'>{ms(phase['ns'])} ms</text>"
                    f"<text x='330' y='{122 + i * 22}' text-anchor='end'>{100 * phase['ns'] / total:.1f} %</text>")
        at += length
    body.append(f"<text x='20' y='98'>0</text><text x='{width - 20}' y='98' text-anchor='end'>{ms(total)} ms</text>")
    return svg(width, 120 + 22 * len(result["phases"]), body)


def growth_svg(points, width=1000, height=420):
    """Blackout over what grows, relative to its smallest value, so that all fit one picture."""
    top = max(p["blackout_ns"] for p in points) * 1.1
    body, whats = [], list(dict.fromkeys(p["what"] for p in points))
    columns = (width - 80) / max(1, len(whats))
    for c, what in enumerate(whats):
        mine = [p for p in points if p["what"] == what]
        left = 60 + c * columns
        places = [(left + 20 + (columns - 60) * i / max(1, len(mine) - 1),
                   height - 60 - (height - 110) * p["blackout_ns"] / top, p) for i, p in enumerate(mine)]
        body.append("<polyline fill='none' stroke='%s' stroke-width='2' points='%s'/>" % (
            COLOURS[c], " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)))
        for x, y, p in places:
            body.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4' fill='{COLOURS[c]}'/>"
                        f"<text x='{x:.1f}' y='{y - 10:.1f}' text-anchor='middle'>{p['blackout_ns'] / 1e6:.1f}</text>"
                        f"<text x='{x:.1f}' y='{height - 40}' text-anchor='middle'>{p['value']}</text>")
        body.append(f"<text x='{left + columns / 2 - 10:.1f}' y='{height - 18}' text-anchor='middle'>"
                    f"{escape(what.replace('_', ' '))}, {escape(mine[0]['unit'])}</text>")
    body.append(f"<line x1='60' y1='{height - 60}' x2='{width - 20}' y2='{height - 60}' stroke='black'/>"
                f"<line x1='60' y1='30' x2='60' y2='{height - 60}' stroke='black'/>"
                f"<text x='20' y='20' font-size='15'>blackout in ms over what grows (from 0)</text>")
    return svg(width, height, body)

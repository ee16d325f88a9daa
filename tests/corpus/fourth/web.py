"""Sheets as the pages of a portal, with menu, cookie line and footer, and as mails in HTML."""

import json
from html import escape
from random import Random

from tests.corpus.fourth.facts import wordings
from tests.corpus.fourth.sheets import Grid, Ink, Sheet

TINTS = ("#1d4f91", "#c8102e", "#004b87", "#e35205", "#2e7d32", "#333333", "#6a1b9a")


def _cell(part: str | Ink) -> str:
    if isinstance(part, str):
        return escape(part)
    lines = (" ".join(f"{x * 160:.1f},{y * 60:.1f}" for x, y in stroke) for stroke in part.strokes)
    drawn = "".join(f'<polyline points="{line}"/>' for line in lines)
    return f'<svg width="160" height="60" fill="none" stroke="#113">{drawn}</svg>'


def _block(block: str | Grid, *, as_list: bool) -> str:
    """Tables as such or, in the newer portals, as lists, with their header left to the eye."""
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    rows = [[_cell(part) for part in row] for row in block.rows]
    if as_list and block.header:
        return "\n".join(('<ol class="timeline">', *(f"<li>{' · '.join(row)}</li>" for row in rows), "</ol>"))
    if as_list:
        return "\n".join(("<dl>", *(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows), "</dl>"))
    header = (
        [f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in block.header)}</tr>"] if block.header else []
    )
    lines = (f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return "\n".join(("<table>", *header, *lines, "</table>"))


def page(random: Random, sheet: Sheet) -> bytes:
    texts, as_list = wordings(sheet.language), random.choice((True, False))
    body = "\n".join(_block(block, as_list=as_list) for block in sheet.blocks)
    menu = "".join(f'<li><a href="/{at}">{escape(item)}</a></li>' for at, item in enumerate(texts["menu"]))
    cookie = f'<div id="cookie-banner" role="dialog">{escape(random.choice(texts["cookie"]))}</div>'
    script = (
        f"<script>window.dataLayer=[{{page:'p{random.randrange(99)}',lang:'{sheet.language}'}}];</script>"
    )
    if random.random() < 0.4:  # a portal's own texts of all states
        states = {name[7:]: lines[0] for name, lines in texts.items() if name.startswith("events")}
        script = f"<script>window.__TEXTS__={json.dumps(states, ensure_ascii=False)};</script>"
    top, bottom = random.choice(((cookie, ""), ("", cookie), (cookie, script), (script, cookie)))
    heading, title = random.choice(("h1", "h2")), escape(random.choice((sheet.title, sheet.head)))
    return f"""<!DOCTYPE html>
<html lang="{sheet.language}">
<head><meta charset="utf-8"><title>{title} | {escape(sheet.head)}</title>
<style>body{{font-family:Arial}}nav{{background:{random.choice(TINTS)}}}nav a{{color:#fff}}</style></head>
<body class="{random.choice(("track", "desktop", "portal v2"))}">
{top}<nav><ul>{menu}</ul></nav>
<main>
<{heading}>{escape(sheet.title)}</{heading}>
{body}
</main>
<footer>{escape(sheet.foot)} © 2026 {escape(sheet.head)}</footer>
{bottom}
</body>
</html>
""".encode()


def mail(random: Random, sheet: Sheet) -> bytes:
    """One narrow table in a grey page, as newsletters and notifications are built."""
    rows = "\n".join(f"<tr><td>{_block(block, as_list=False)}</td></tr>" for block in sheet.blocks)
    return f"""<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<title>{escape(sheet.title)}</title></head>
<body bgcolor="#eeeeee"><table width="600" align="center" bgcolor="#ffffff">
<tr><td bgcolor="{random.choice(TINTS)}"><font color="#ffffff"><b>{escape(sheet.head)}</b></font></td></tr>
<tr><td><h2>{escape(sheet.title)}</h2></td></tr>
{rows}
<tr><td><small>{escape(sheet.foot)}</small></td></tr>
</table><img src="cid:pixel" width="1" height="1" alt=""></body></html>
""".encode()

/** Style sheet of the report: interface.md's tokens, light and dark, screen and paper. */
export const reportStyles = `
:root {
  --ground: #f5f6f8; --panel: #ffffff; --ink: #16191f; --soft: #555d6b; --line: #16191f1f; --accent: #0b5cc4;
  --pass: #0b6b3a; --fail: #b3151d; --review: #8a5200; --noDecision: #6a3fb5;
  --heat: 214 0 126; --well: #e6e9ee; --zone: #cfd5de;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme='light']) {
    --ground: #14171c; --panel: #1d2128; --ink: #eceff4; --soft: #a4adbb; --line: #eceff41f; --accent: #7cb4ff;
    --pass: #55d08d; --fail: #ff8078; --review: #ffbb52; --noDecision: #c4a8ff; --well: #0e1014; --zone: #39414d;
    color-scheme: dark;
  }
}
:root[data-theme='dark'] {
  --ground: #14171c; --panel: #1d2128; --ink: #eceff4; --soft: #a4adbb; --line: #eceff41f; --accent: #7cb4ff;
  --pass: #55d08d; --fail: #ff8078; --review: #ffbb52; --noDecision: #c4a8ff; --well: #0e1014; --zone: #39414d;
  color-scheme: dark;
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.45 Inter, 'IBM Plex Sans', system-ui, sans-serif;
  font-variant-numeric: tabular-nums; display: grid; grid-template-rows: auto auto minmax(0, 1fr) auto; height: 100vh;
}
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
h1, h2, p { margin: 0; }
h1 { font-size: 24px; line-height: 1.2; }
.soft { color: var(--soft); }
.mark { width: 1em; height: 1em; fill: currentColor; flex: none; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .review { color: var(--review); } .noDecision { color: var(--noDecision); }

header { display: flex; flex-wrap: wrap; gap: 16px 40px; align-items: center; padding: 16px 24px 12px; }
header > div:first-child { flex: 1 1 320px; min-width: 0; }
header p { overflow-wrap: anywhere; }
.counters { display: flex; flex-wrap: wrap; gap: 8px; }
.counters button {
  display: grid; grid-template-columns: auto auto; gap: 0 10px; align-items: center; text-align: left; min-height: 52px;
  padding: 6px 16px 6px 12px;
}
.counters .mark { font-size: 26px; grid-row: span 2; }
.counters b { font-size: 18px; line-height: 1.2; color: var(--ink); }
.counters small { font-size: 13px; line-height: 1.2; color: var(--soft); }

button, select, input {
  font: inherit; color: var(--ink); background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  min-height: 36px; padding: 4px 12px; white-space: nowrap;
}
button { cursor: pointer; }
button[aria-pressed='true'] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
kbd { font: 600 12px/1 inherit; color: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 1px 5px; margin-left: 6px; }

.bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; padding: 0 24px 12px; }
.bar input { flex: 1 1 160px; max-width: 320px; }
.bar .shown { margin-left: auto; }

main { display: grid; grid-template-columns: minmax(300px, 400px) minmax(0, 1fr); gap: 16px; padding: 0 24px; min-height: 0; }
.list, .detail { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; overflow: auto; }
.list { list-style: none; margin: 0; padding: 4px; }
.list li { content-visibility: auto; contain-intrinsic-size: auto 64px; }
.row {
  display: grid; grid-template-columns: 3ch 52px minmax(0, 1fr) auto; gap: 0 10px; align-items: center; width: 100%;
  min-height: 64px; padding: 6px 10px 6px 4px; text-align: left; border-color: transparent; background: none;
}
.row[aria-current='true'] { background: color-mix(in srgb, var(--accent) 12%, transparent); border-color: var(--accent); }
.row .rank { color: var(--soft); font-size: 13px; text-align: right; }
.row .thumb { width: 52px; height: 52px; object-fit: contain; background: var(--well); border-radius: 4px; }
.row .name, .row .class { display: block; }
.row > span:nth-of-type(2), .row .thumb + span { min-width: 0; }
.row .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .class { color: var(--soft); font-size: 13px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .word { display: flex; gap: 6px; align-items: center; justify-content: flex-end; font-weight: 650; font-size: 13px; }
.row .score { display: block; text-align: right; font-size: 18px; line-height: 1.2; }

.detail { display: grid; grid-template-columns: minmax(0, 1fr) 340px; }
.stage { background: var(--well); min-height: 240px; display: grid; grid-template-rows: minmax(0, 1fr) auto; min-width: 0; }
.part { position: relative; min-height: 0; margin: 16px; }
.part img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.part .missing { position: absolute; inset: 0; display: grid; place-content: center; text-align: center; padding: 24px; color: var(--soft); }
.heat-off .part .heat { visibility: hidden; }
.legend { display: flex; gap: 10px; align-items: center; padding: 0 16px 12px; font-size: 13px; color: var(--soft); min-height: 48px; }
.legend span { white-space: nowrap; }
.legend i { flex: 0 1 120px; height: 12px; border-radius: 3px; border: 1px solid var(--line); background: linear-gradient(90deg, rgb(var(--heat) / 0), rgb(var(--heat) / .5)); }
.legend button { margin-left: auto; }

.facts { padding: 16px; display: flex; flex-direction: column; gap: 16px; border-left: 1px solid var(--line); overflow-wrap: anywhere; }
.verdict { display: flex; gap: 12px; align-items: center; font-weight: 750; font-size: 52px; line-height: 1; letter-spacing: -.01em; }
.verdict.noDecision { font-size: 34px; }
.scale { position: relative; height: 74px; margin-top: 4px; }
.scale .track { position: absolute; inset: 26px 0 auto; height: 14px; border-radius: 3px; background: var(--zone); overflow: hidden; }
.scale .track i { position: absolute; inset: 0 auto 0 0; background: var(--ink); opacity: .78; }
.scale .tick { position: absolute; top: 20px; height: 26px; border-left: 2px solid var(--ink); }
.scale .tick span { position: absolute; top: 27px; left: 0; transform: translateX(-50%); font-size: 13px; white-space: nowrap; color: var(--soft); }
.scale .tick.low span { transform: translateX(calc(-100% - 2px)); }
.scale .tick.high span { transform: translateX(4px); }
.scale .now { position: absolute; top: -6px; transform: translateX(-50%); font-size: 20px; font-weight: 700; white-space: nowrap; }
.scale .now.beyond { transform: none; left: auto !important; right: 0; }
.shares { display: grid; grid-template-columns: auto 1fr 5ch; gap: 4px 10px; align-items: center; }
.shares i { display: block; height: 8px; border-radius: 2px; background: var(--soft); }
.shares span:last-child, .shares .percent { text-align: right; }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 4px 14px; margin: 0; font-size: 13px; }
dt { color: var(--soft); } dd { margin: 0; }
h2 { font-size: 13px; font-weight: 600; color: var(--soft); margin-bottom: 4px; }
.empty { padding: 24px; }
footer { padding: 8px 24px 12px; font-size: 13px; color: var(--soft); display: flex; flex-wrap: wrap; gap: 4px 20px; }

@media (max-width: 1100px) { .detail { grid-template-columns: 1fr; grid-template-rows: minmax(260px, 46vh) auto; } .facts { border-left: 0; } }
@media (max-width: 760px) { body { height: auto; } main { grid-template-columns: 1fr; } .list { max-height: 40vh; } }
@media (prefers-reduced-motion: no-preference) { .part .heat { transition: opacity .14s; } }
@media print {
  body { height: auto; display: block; }
  .bar, .detail, footer kbd, .legend button { display: none; }
  main { display: block; padding: 0; }
  .list { border: 0; overflow: visible; columns: 2; }
  .list li { content-visibility: visible; break-inside: avoid; }
}
`;

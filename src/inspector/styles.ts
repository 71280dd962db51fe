/**
 * The panel's looks. What stands on :host is important, since only so it wins over the page's rules; below the panel
 * nothing of the page's is inherited.
 */
export const STYLES = `
:host {
  all: initial !important;
  color-scheme: light dark !important;
  display: block !important;
  direction: ltr !important;
}
:host([corner]) {
  position: fixed !important;
  inset: auto max(12px, env(safe-area-inset-right)) max(12px, env(safe-area-inset-bottom)) auto !important;
  z-index: 2147483000 !important;
  max-width: calc(100vw - 24px) !important;
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.panel {
  --paper: light-dark(#ffffff, #1b1d22);
  --wash: light-dark(#f4f6f8, #24272e);
  --line: light-dark(#dce0e6, #383d47);
  --ink: light-dark(#1a1f27, #eceff4);
  --quiet: light-dark(#555e6d, #a9b2c0);
  --accent: light-dark(#0b5cad, #7cbcff);
  --good: light-dark(#17703c, #6fd597);
  --waits: light-dark(#8a5200, #f2bd67);
  --bad: light-dark(#b3261e, #ff9c94);
  display: flex;
  flex-direction: column;
  overflow: hidden;
  color: var(--ink);
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 12px;
  font: 13px/1.45 system-ui, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums;
  text-align: left;
}
:host([corner]) .panel {
  box-shadow: 0 8px 30px rgb(0 0 0 / 0.18);
  width: fit-content;
  max-width: 100%;
  margin-left: auto;
  max-height: calc(100vh - 24px);
  max-height: calc(100dvh - 24px);
}
:host([corner]) .panel:has(.body:not([hidden])) { width: 432px; }
dl, dd, ol, p { margin: 0; padding: 0; }
ol { list-style: none; }
button, select {
  font: inherit;
  color: inherit;
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 7px;
  padding: 5px 11px;
  min-height: 32px;
  cursor: pointer;
}
button:hover, select:hover { background: var(--wash); border-color: var(--quiet); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.head { display: flex; align-items: center; gap: 8px; flex: none; padding: 5px; }
.toggle {
  flex: 1;
  min-width: 0;
  display: flex;
  align-items: center;
  gap: 8px;
  border-color: transparent;
  text-align: left;
}
.toggle:hover { border-color: transparent; }
.toggle:focus-visible { outline-offset: -2px; }
.name { font-weight: 650; }
.brief { color: var(--quiet); flex: 1; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.mark {
  width: 8px;
  height: 8px;
  flex: none;
  margin: 0 5px;
  border: solid var(--quiet);
  border-width: 0 2px 2px 0;
  transform: translateY(25%) rotate(-135deg);
}
[aria-expanded="true"] .mark { transform: translateY(-25%) rotate(45deg); }
.dot { width: 10px; height: 10px; flex: none; border-radius: 50%; background: var(--quiet); }
.dot.good { background: var(--good); }
.dot.waits { background: var(--waits); }
.dot.bad { background: var(--bad); border-radius: 2px; }
select { max-width: 144px; margin-right: 5px; }
.body {
  display: flex;
  flex-direction: column;
  gap: 12px;
  min-height: 0;
  overflow: auto;
  padding: 2px 14px 14px;
}
.body > * { flex: none; }
.state { font-weight: 600; }
.state.good { color: var(--good); }
.state.waits { color: var(--waits); }
.state.bad { color: var(--bad); }
.note { color: var(--quiet); }
.note:empty { display: none; }
.figures {
  display: flex;
  flex-wrap: wrap;
  border: 1px solid var(--line);
  border-radius: 9px;
  background: var(--wash);
  overflow: hidden;
}
.figures > div {
  display: flex;
  flex-direction: column;
  padding: 8px 9px;
  margin: 0 0 -1px -1px;
  border: solid var(--line);
  border-width: 0 0 1px 1px;
  flex: 1 1 74px;
}
.figures dt { font-size: 12px; white-space: nowrap; }
.figures small { display: block; font-size: 11px; color: var(--quiet); }
.figures dd { order: -1; font-size: 18px; font-weight: 650; line-height: 1.3; white-space: nowrap; }
.figures .bad dd { color: var(--bad); }
.facts { display: grid; grid-template-columns: minmax(0, 1fr); margin-top: 10px; }
.facts > div { display: grid; grid-template-columns: 104px minmax(0, 1fr); gap: 10px; padding: 2px 0; }
.facts dt { color: var(--quiet); }
.facts dd { overflow-wrap: anywhere; }
.controls { display: flex; flex-wrap: wrap; gap: 6px; }
.tabs .controls { padding: 2px 0 8px; }
[role="switch"] { display: inline-flex; align-items: center; gap: 8px; }
.knob {
  width: 29px;
  height: 16px;
  border: 1px solid var(--quiet);
  border-radius: 16px;
  background: var(--wash);
  position: relative;
}
.knob::before {
  content: "";
  position: absolute;
  inset: 2px auto 2px 2px;
  aspect-ratio: 1;
  border-radius: 50%;
  background: var(--quiet);
}
[aria-checked="true"] .knob { background: var(--waits); border-color: var(--waits); }
[aria-checked="true"] .knob::before { inset: 2px 2px 2px auto; background: var(--paper); }
[aria-pressed="true"] { border-color: var(--accent); color: var(--accent); }
[role="tablist"] { display: flex; gap: 2px; border-bottom: 1px solid var(--line); }
[role="tab"] { border-color: transparent; border-radius: 7px 7px 0 0; background: none; padding: 5px 7px; color: var(--quiet); white-space: nowrap; }
[role="tab"]:hover { border-color: transparent; color: var(--ink); }
[role="tab"]:focus-visible { outline-offset: -2px; }
[role="tab"][aria-selected="true"] { color: var(--ink); font-weight: 600; box-shadow: inset 0 -2px var(--accent); }
[role="tabpanel"] { height: 208px; overflow: auto; padding: 8px 2px 0 0; }
[role="tabpanel"]:focus-visible { outline-offset: -2px; border-radius: 4px; }
.empty { color: var(--quiet); }
.line { display: grid; grid-template-columns: 66px 75px minmax(0, 1fr); gap: 6px; padding: 2px 0; }
.time, .count { color: var(--quiet); }
.what, .id, .data, .state { overflow-wrap: anywhere; }
.kind { font-weight: 600; }
.flush .kind { color: var(--accent); }
.accepted .kind, .recovered .kind, .accepted .state { color: var(--good); }
.paused .kind, .degraded .kind { color: var(--waits); }
.dead .kind, .refused .kind, .trouble .kind, .dropped .kind, .dead .state { color: var(--bad); }
.run {
  display: grid;
  grid-template-columns: 66px minmax(0, 1fr) auto;
  gap: 0 6px;
  padding: 5px 0;
  border-bottom: 1px solid var(--line);
}
.run:last-child { border-bottom: 0; }
.id, .data { grid-column: 1 / -1; font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.data { white-space: pre-wrap; background: var(--wash); border-radius: 5px; padding: 4px 6px; }
.data:empty { display: none; }
@media (forced-colors: active) {
  .dot, .knob::before { background: CanvasText; }
  [role="tab"][aria-selected="true"] { border-bottom: 2px solid Highlight; }
}
`

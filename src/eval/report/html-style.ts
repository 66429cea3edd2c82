/** Style of the report page: system fonts, light and dark, narrow screens and paper. */
export const htmlStyle = `
:root{color-scheme:light dark;--ink:#1a2330;--soft:#5a6675;--paper:#fff;--panel:#f4f6f8;--line:#d8dee5;--gain:#0b6e4f;--loss:#a3262e;--right:#7d93ab;--wrong:#c3ccd6;--base:#6b7f95;--tuned:#b5651d;--mark:#fff3d6}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9fabb8;--paper:#12171d;--panel:#1b222b;--line:#333d49;--gain:#4cc39a;--loss:#f0808a;--right:#54697f;--wrong:#3a4551;--base:#8fa6be;--tuned:#e0964f;--mark:#3a3220}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.15rem;font-weight:600;color:var(--soft);margin:.5rem 0}
h2{font-size:1.15rem;margin:2rem 0 .4rem}
.verdict{font-size:1.35rem;line-height:1.35;font-weight:600;margin:.4rem 0;padding-left:.8rem;border-left:.35rem solid var(--soft)}
.verdict.better{border-color:var(--gain)}.verdict.worse{border-color:var(--loss)}
.note,.legend{color:var(--soft);font-size:.9rem;margin:.2rem 0 .6rem}
.research{background:var(--mark);padding:.6rem .8rem;border-radius:.4rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;min-width:50%}
th,td{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--soft)}
th,td{overflow-wrap:normal}table.wide td,th{white-space:nowrap}table td.long{white-space:normal;overflow-wrap:anywhere;min-width:10rem}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.2rem;margin-top:2rem}
svg{width:100%;height:auto;max-width:36rem;display:block}
svg text{font:14px system-ui,sans-serif;fill:var(--soft)}svg text.label{fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:5px}
.grid{stroke:var(--line)}.zero{stroke:var(--ink);stroke-dasharray:4 3}.interval{stroke-width:3;stroke:currentColor}
g.gain{color:var(--gain)}g.loss{color:var(--loss)}g.same{color:var(--soft)}g circle{fill:currentColor}
rect.gained,.key.gained{fill:var(--gain);background:var(--gain)}rect.lost,.key.lost{fill:var(--loss);background:var(--loss)}
rect.bothRight,.key.bothRight{fill:var(--right);background:var(--right)}rect.bothWrong,.key.bothWrong{fill:var(--wrong);background:var(--wrong)}
path.base{fill:var(--base);fill-opacity:.35;stroke:var(--base)}path.tuned{fill:var(--tuned);fill-opacity:.35;stroke:var(--tuned)}
line.base{stroke:var(--base)}line.tuned{stroke:var(--tuned)}.median{stroke-width:2;stroke-dasharray:5 3}
.key{display:inline-block;width:.8rem;height:.8rem;border-radius:.15rem;margin:0 .3rem 0 .6rem;vertical-align:-.05rem}
.key.base{background:var(--base)}.key.tuned{background:var(--tuned)}
.filters{display:flex;flex-wrap:wrap;gap:.5rem 1rem;margin:.6rem 0}
.filters label{font-size:.9rem;color:var(--soft)}
select,button{font:inherit;font-size:.9rem;color:inherit;background:var(--panel);border:1px solid var(--line);border-radius:.3rem;padding:.3rem .5rem;max-width:100%}
details.item{border-top:1px solid var(--line);padding:.4rem 0}
summary{cursor:pointer}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:.8rem}
.arm{background:var(--panel);border-radius:.4rem;padding:.6rem .8rem}
.arm h4{margin:0 0 .3rem}.arm h5{margin:.5rem 0 .1rem;color:var(--soft);font-size:.85rem}
pre{white-space:pre-wrap;font:.9rem/1.5 system-ui,sans-serif;margin:0;max-height:24rem;overflow:auto}
.right{color:var(--gain)}.wrong{color:var(--loss)}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--panel:#fff;--line:#bbb;--mark:#fff}body{max-width:none;font-size:11px}.filters,button{display:none}h2{break-after:avoid}tr,svg,.arm{break-inside:avoid}pre{max-height:none}.scroll{overflow:visible}table.wide td,th{white-space:normal}}
`;

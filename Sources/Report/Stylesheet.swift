/// The look of a report. Colours of series are Okabe and Ito's, which colour-blind readers tell apart.
enum Stylesheet {
    static let css: HTML = """
        :root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--quiet:#59626d;--line:#d5dae0;--soft:#f3f5f7;--bad:#b3261e;--link:#0b5cad;\
        --s0:#0072b2;--s1:#d55e00;--s2:#009e73;--s3:#a4507f;--s4:#b27500;--s5:#2f8fc4;--s6:#555;--s7:#8a7d00}
        @media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e8eaed;--quiet:#a2abb5;--line:#343b43;--soft:#1d2226;--bad:#ff8a80;--link:#7ab8ff;\
        --s0:#56b4e9;--s1:#ff8f45;--s2:#3fcf9f;--s3:#dd9cc2;--s4:#f0b429;--s5:#9ad4f5;--s6:#bbb;--s7:#f0e442}}
        *{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
        header,main,footer{max-width:1180px;margin:auto;padding:0 20px}header{padding-top:24px}h1{font-size:1.7em;margin:0}
        h2{font-size:1.3em;margin:0 0 12px;padding-top:28px;border-top:1px solid var(--line)}h3{font-size:1.05em;margin:18px 0 6px}h4{margin:12px 0 4px}
        nav{position:sticky;top:0;background:var(--bg);border-bottom:1px solid var(--line);z-index:1}
        nav ul{max-width:1180px;margin:auto;padding:8px 20px;display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none}
        a{color:var(--link)}nav a{text-decoration:none}section{margin:28px 0;scroll-margin-top:40px}section:first-child h2{border-top:0;padding-top:0}.quiet{color:var(--quiet);font-weight:400}.bad{color:var(--bad);font-weight:600}
        .notice{border-left:4px solid var(--s4);background:var(--soft);padding:8px 14px;margin:12px 0}
        .state{font-size:.55em;vertical-align:middle;border:1px solid var(--line);border-radius:99px;padding:2px 10px;background:var(--soft)}
        .cards{display:flex;flex-wrap:wrap;gap:12px;list-style:none;padding:0}.cards li{background:var(--soft);border-radius:8px;padding:10px 16px;min-width:130px}.cards b{display:block;font-size:1.5em}
        table{border-collapse:collapse;margin:10px 0;max-width:100%;font-size:.93em}caption{text-align:left;font-weight:600;padding:6px 0}
        th,td{padding:4px 12px 4px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;overflow-wrap:anywhere}tbody th{font-weight:500}
        tbody th{overflow-wrap:break-word}.sortable tbody th{min-width:6em}.wide{overflow-x:auto}.wide table{max-width:none}.wide th{white-space:nowrap}.wide th,.wide td{overflow-wrap:normal}
        .facts th{color:var(--quiet);white-space:nowrap}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}tr.found{font-weight:600}
        .sortable thead th{cursor:pointer}.sortable thead th[aria-sort=ascending]::after{content:" ↑"}.sortable thead th[aria-sort=descending]::after{content:" ↓"}
        code,pre{font:.9em/1.45 ui-monospace,monospace;overflow-wrap:anywhere}pre{white-space:pre-wrap;background:var(--soft);padding:8px;max-height:22em;overflow:auto}
        details{margin:10px 0}summary{cursor:pointer;padding:3px 0}figure{margin:0}
        .legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;padding:0;margin:0 0 6px}.legend svg{vertical-align:-1px;margin-right:4px}
        .regions{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,540px),1fr));gap:18px 26px}.pair{display:grid;grid-template-columns:1fr 1fr}
        svg{display:block;width:100%;height:auto;overflow:visible}.legend svg{display:inline-block;width:14px;height:12px}.forest{max-width:760px}
        svg text{font:12px system-ui,sans-serif;fill:var(--fg)}.forest text{font-size:11px}svg text.axis{fill:var(--quiet)}.mid{text-anchor:middle}.end{text-anchor:end}
        .grid{stroke:var(--line);stroke-width:.7}.tick,.base,.zero{stroke:var(--quiet);stroke-width:1}.zero{stroke-dasharray:3 3}.median{stroke:var(--fg);stroke-width:2}
        .s0{fill:var(--s0);stroke:var(--s0)}.s1{fill:var(--s1);stroke:var(--s1)}.s2{fill:var(--s2);stroke:var(--s2)}.s3{fill:var(--s3);stroke:var(--s3)}
        .s4{fill:var(--s4);stroke:var(--s4)}.s5{fill:var(--s5);stroke:var(--s5)}.s6{fill:var(--s6);stroke:var(--s6)}.s7{fill:var(--s7);stroke:var(--s7)}
        .box{fill:var(--s0);fill-opacity:.16;stroke:var(--s0);stroke-opacity:.6}.published{fill:var(--bg);stroke:var(--s1);stroke-width:1.8}.strips{margin:14px 0}.key{fill:none;stroke-width:2.4}
        .plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:18px 26px;margin:14px 0}.plots figcaption{min-height:1.6em}
        use{stroke-width:0;fill-opacity:.85}.band{fill-opacity:.15;stroke:none}.fit{fill:none;stroke-width:1.7}.dots{fill:none;stroke-width:3.4;stroke-linecap:round;stroke-opacity:.55}
        .found line,.open line{stroke:var(--s0);stroke-width:2}.found circle{fill:var(--s0)}.open circle{fill:var(--bg);stroke:var(--s0);stroke-width:1.6}.found text{font-weight:600}
        .wall{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:16px}.wall.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,240px),1fr))}
        .wall figure{background:var(--soft);border-radius:8px;padding:10px;min-width:0}.wall img{width:100%;height:auto;display:block;border-radius:4px;background:#000}
        .flags,.metrics{list-style:none;padding:0;margin:4px 0;font-size:.88em}.flags li{color:var(--bad);font-weight:600}.metrics{color:var(--quiet);display:flex;flex-wrap:wrap;gap:0 12px}
        footer{color:var(--quiet);padding-bottom:30px;font-size:.9em}
        @media(max-width:620px){.pair{grid-template-columns:1fr}}
        @media print{:root{color-scheme:light;--bg:#fff;--fg:#000;--quiet:#444;--line:#ccc;--soft:#f6f6f6;--bad:#a00;--link:#000;--s0:#0072b2;--s1:#d55e00;--s2:#009e73;--s3:#a4507f;--s4:#b27500;--s5:#2f8fc4;--s6:#555;--s7:#8a7d00}\
        nav{display:none}body{font-size:10pt}section{margin:0 0 14px}figure,tr{break-inside:avoid}h2,h3{break-after:avoid}.regions{grid-template-columns:1fr 1fr}.pair{grid-template-columns:1fr 1fr}details::details-content{content-visibility:visible;height:auto}}
        """

    /// Sorting of tables by a click on a heading; the page is complete without it.
    static let script: HTML = """
        document.querySelectorAll('table.sortable').forEach(t=>{const h=[...t.tHead.rows[0].cells];h.forEach((c,i)=>{c.tabIndex=0;\
        const go=()=>{const up=c.getAttribute('aria-sort')!=='ascending';h.forEach(x=>x.removeAttribute('aria-sort'));\
        c.setAttribute('aria-sort',up?'ascending':'descending');\
        const key=r=>{const s=r.cells[i].textContent.trim();const m=s.replace(/−/g,'-').replace(/ × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)/,(q,e)=>'e'+[...e].map(d=>d=='⁻'?'-':'⁰¹²³⁴⁵⁶⁷⁸⁹'.indexOf(d)).join(''));const n=parseFloat(m);return isNaN(n)?s:n};\
        const rows=[...t.tBodies[0].rows].sort((a,b)=>{const x=key(a),y=key(b);const d=typeof x=='number'&&typeof y=='number'?x-y:String(x).localeCompare(String(y),undefined,{numeric:true});return up?d:-d});\
        t.tBodies[0].append(...rows)};c.addEventListener('click',go);c.addEventListener('keydown',e=>{if(e.key==='Enter')go()})})});
        """
}

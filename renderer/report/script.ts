/**
 * What the report does in the browser, as text: it's put into the page as it is. Plain JavaScript without any library;
 * it only moves what the page already holds.
 */
export const reportScript = `
'use strict';
const parts = JSON.parse(document.getElementById('parts').textContent);
const rows = [...document.querySelectorAll('.list li')];
const list = document.querySelector('.list');
const detail = document.querySelector('.detail');
const search = document.getElementById('search');
const classSelect = document.getElementById('class');
const sortSelect = document.getElementById('sort');
const shownText = document.querySelector('.shown');
const state = { verdict: 'all', index: -1 };
const collator = new Intl.Collator(undefined, { numeric: true });
const orders = {
  rank: (a, b) => a - b,
  file: (a, b) => collator.compare(parts[a].file, parts[b].file),
  class: (a, b) => collator.compare(parts[a].className ?? '', parts[b].className ?? '') || a - b,
  time: (a, b) => parts[b].latencyMs - parts[a].latencyMs,
};

const visible = () => [...list.children].filter((row) => !row.hidden).map((row) => Number(row.dataset.index));

function refresh() {
  const text = search.value.trim().toLowerCase();
  let count = 0;
  for (const row of rows) {
    const part = parts[row.dataset.index];
    row.hidden = (state.verdict !== 'all' && part.verdict !== state.verdict) ||
      (classSelect.value !== '' && part.className !== classSelect.value) ||
      (text !== '' && !(part.file + ' ' + (part.className ?? '')).toLowerCase().includes(text));
    if (!row.hidden) count++;
  }
  shownText.textContent = count + ' of ' + parts.length + ' shown';
  for (const button of document.querySelectorAll('[data-verdict]')) {
    button.setAttribute('aria-pressed', String(button.dataset.verdict === state.verdict));
  }
  const now = visible();
  if (!now.includes(state.index)) show(now[0] ?? -1, false);
}

function resort() {
  const compare = orders[sortSelect.value];
  rows.sort((a, b) => compare(Number(a.dataset.index), Number(b.dataset.index)));
  list.append(...rows);
  rowOf(state.index)?.scrollIntoView({ block: 'nearest' });
}

const rowOf = (index) => rows.find((row) => Number(row.dataset.index) === index);
const field = (name) => detail.querySelector('[data-field="' + name + '"]');
const percent = (share) => share === null ? '' : Math.round(100 * share) + ' %';

function show(index, scroll = true) {
  rowOf(state.index)?.firstElementChild.removeAttribute('aria-current');
  state.index = index;
  const part = parts[index];
  detail.hidden = part === undefined;
  if (part === undefined) return;
  const row = rowOf(index);
  row.firstElementChild.setAttribute('aria-current', 'true');
  if (scroll) row.scrollIntoView({ block: 'nearest' });
  for (const [name, address] of [['picture', part.picture], ['heat', part.heat]]) {
    const image = field(name);
    image.hidden = address === null;
    if (address === null) image.removeAttribute('src'); else image.src = address;
  }
  field('picture').alt = 'Part ' + part.file;
  field('missing').hidden = part.picture !== null;
  field('legend').style.visibility = part.heat === null ? 'hidden' : 'visible';
  const verdict = field('verdict');
  verdict.className = 'verdict ' + part.verdict;
  verdict.replaceChildren(row.querySelector('.mark').cloneNode(true), row.dataset.word);
  field('why').textContent = part.why;
  field('scores').hidden = part.display === null;
  if (part.display !== null) {
    const { score, review } = part.display;
    const onBar = (value) => Math.min(100, Math.max(0, value)) + '%';
    field('fill').style.width = onBar(score);
    field('now').style.left = Math.max(4, score) + '%';
    field('now').classList.toggle('beyond', score > 96);
    field('now').textContent = score.toFixed(0) + (score > 100 ? ' \u25b8' : '');
    field('low').textContent = 'review ' + review.toFixed(0);
    field('review').style.left = onBar(review);
    field('review').firstElementChild.textContent = 'review ' + review.toFixed(0);
  }
  for (const name of ['memory', 'local', 'semantic']) {
    const share = part.shares[name];
    for (const cell of detail.querySelectorAll('[data-share="' + name + '"]')) cell.hidden = share === null;
    field(name + '-bar').style.width = 100 * (share ?? 0) + '%';
    field(name + '-percent').textContent = percent(share);
  }
  field('shares').hidden = part.display === null;
  field('similar').textContent = part.similar === null ? 'not known' : part.similar.fileName + ' (' + part.similar.className + ')';
  field('file').textContent = part.file;
  field('class').textContent = part.className ?? 'none';
  field('raw').textContent = part.predScore === null ? 'none' :
    part.predScore.toFixed(3) + '; review from ' + part.thresholds.review.toFixed(3) + ', fail from ' + part.thresholds.fail.toFixed(3);
  field('latency').textContent = part.latencyMs.toFixed(1) + ' ms';
}

function step(by) {
  const now = visible();
  if (now.length === 0) return;
  const at = now.indexOf(state.index);
  show(now[Math.min(now.length - 1, Math.max(0, at + by))]);
  rowOf(state.index).firstElementChild.focus({ preventScroll: true });
}

function setVerdict(verdict) { state.verdict = state.verdict === verdict ? 'all' : verdict; refresh(); }
function toggleHeat() {
  const off = document.body.classList.toggle('heat-off');
  document.getElementById('heat').setAttribute('aria-pressed', String(!off));
}
function toggleTheme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === 'dark';
  document.documentElement.dataset.theme = dark ? 'light' : 'dark';
}
function nextSort() { sortSelect.selectedIndex = (sortSelect.selectedIndex + 1) % sortSelect.length; resort(); }

list.addEventListener('click', (event) => {
  const row = event.target.closest('li');
  if (row !== null) show(Number(row.dataset.index), false);
});
for (const button of document.querySelectorAll('[data-verdict]')) {
  button.addEventListener('click', () => setVerdict(button.dataset.verdict));
}
search.addEventListener('input', refresh);
classSelect.addEventListener('change', refresh);
sortSelect.addEventListener('change', resort);
document.getElementById('heat').addEventListener('click', toggleHeat);
document.getElementById('theme').addEventListener('click', toggleTheme);

const keys = {
  ArrowDown: () => step(1), j: () => step(1), ArrowUp: () => step(-1), k: () => step(-1),
  PageDown: () => step(10), PageUp: () => step(-10), Home: () => step(-Infinity), End: () => step(Infinity),
  f: () => setVerdict('fail'), r: () => setVerdict('review'), n: () => setVerdict('noDecision'), p: () => setVerdict('pass'),
  a: () => setVerdict('all'), h: toggleHeat, s: nextSort, t: toggleTheme, '/': () => search.focus(),
};
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches('input, select')) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
});

function fillThumb(row) {
  const image = row.querySelector('img.thumb');
  if (image !== null && !image.hasAttribute('src')) image.src = parts[row.dataset.index].picture;
}
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { fillThumb(entry.target); seen.unobserve(entry.target); }
}, { root: list, rootMargin: '400px' });
for (const row of rows) seen.observe(row);
addEventListener('beforeprint', () => rows.forEach(fillThumb));
refresh();
// report.html#12 opens at the twelfth part.
const wanted = Number(location.hash.slice(1)) - 1;
if (parts[wanted] !== undefined) show(wanted);
`;

// What the page holds, block by block; a block is decoded when it is first asked for.

const study = JSON.parse(document.getElementById("study").textContent);
const KEPT_DECODED = 60;
const decoded = new Map();

const key = (...parts) => JSON.stringify(parts);
const settings = new Map(study.settings.map((one) => [key(one.slm, one.dataset), one]));

/** Decodes a block once; the longest unused ones are forgotten. */
function block(number, read) {
  const known = decoded.get(number) ?? inflated(blockText(number)).then(read);
  decoded.delete(number);
  decoded.set(number, known);
  if (decoded.size > KEPT_DECODED) decoded.delete(decoded.keys().next().value);
  return known;
}

const blockText = (number) => document.getElementById(`block-${number}`).textContent;
const columnsOf = (number) => block(number, unpacked);
const textsOf = (number) =>
  number === null ? null : block(number, (bytes) => JSON.parse(new TextDecoder().decode(bytes)));

const tables = new Map();

/** A whole table with an index of its rows by the columns that name them. */
function table(name, by) {
  const id = key(name, by);
  if (!tables.has(id)) tables.set(id, columnsOf(study.tables[name]).then((columns) => indexed(columns, by)));
  return tables.get(id);
}

function indexed(columns, by) {
  const rows = new Map();
  // A table without rows may have no columns either.
  const n = columns.get(by[0])?.length ?? 0;
  for (let row = 0; row < n; row++) {
    const id = key(...by.map((name) => columns.get(name).at(row)));
    if (!rows.has(id)) rows.set(id, []);
    rows.get(id).push(row);
  }
  return { columns, rows: (...parts) => rows.get(key(...parts)) ?? [] };
}

/** One row as an object, or null where the table has none. */
function record(columns, row) {
  if (row === undefined) return null;
  return Object.fromEntries([...columns].map(([name, values]) => [name, values.at(row)]));
}

/** Rows of a block in which the named columns have the given values. */
function rowsWhere(columns, wanted) {
  const found = [];
  const pairs = Object.entries(wanted).map(([name, value]) => [columns.get(name), value]);
  for (let row = 0; row < columns.get(Object.keys(wanted)[0]).length; row++) {
    if (pairs.every(([values, value]) => values.at(row) === value)) found.push(row);
  }
  return found;
}

const picked = (columns, name, rows) => rows.map((row) => columns.get(name).at(row));

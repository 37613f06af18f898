// Reads what columns.py packs.

const WIDTHS = { exact: 8, float: 4, int: 4, text: 2, bool: 1 };

/** A column of texts: a code per row, and what each code stands for. */
class TextColumn {
  constructor(codes, labels) {
    this.codes = codes;
    this.labels = labels;
    this.length = codes.length;
  }

  at(row) {
    return this.labels[this.codes[row]];
  }
}

async function inflated(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Columns by name: typed arrays, and TextColumn for texts. */
function unpacked(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const columns = new Map();
  let at = 4 + length;
  for (const about of header) {
    const width = WIDTHS[about.kind];
    const raw = inRowOrder(bytes.subarray(at, at + width * about.n), width, about.n);
    at += width * about.n;
    if (about.differences) undoDifferences(new Uint32Array(raw.buffer), about.differences);
    columns.set(about.name, column(about, raw));
  }
  return columns;
}

function inRowOrder(bySignificance, width, n) {
  const raw = new Uint8Array(width * n);
  for (let byte = 0; byte < width; byte++) {
    for (let row = 0; row < n; row++) raw[row * width + byte] = bySignificance[byte * n + row];
  }
  return raw;
}

function undoDifferences(bits, times) {
  for (let time = 0; time < times; time++) {
    for (let row = 1; row < bits.length; row++) bits[row] += bits[row - 1];
  }
}

function column(about, raw) {
  switch (about.kind) {
    case "exact":
      return new Float64Array(raw.buffer);
    case "float":
      return new Float32Array(raw.buffer);
    case "int":
      return new Int32Array(raw.buffer);
    case "bool":
      return raw;
    default:
      return new TextColumn(new Uint16Array(raw.buffer), about.labels);
  }
}

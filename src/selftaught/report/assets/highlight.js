// Python highlighting: one pass of one expression, each piece appended as text.
const PYTHON = /(#[^\n]*)|([rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))|\b(0[xXbBoO][\da-fA-F_]+|\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?j?)\b|\b((?:def|class)\s+)([A-Za-z_]\w*)|\b(False|None|True|and|as|assert|async|await|break|case|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield)\b|\b(abs|all|any|bin|bool|dict|divmod|enumerate|eval|filter|float|format|input|int|isinstance|len|list|map|max|min|open|pow|print|range|reversed|round|set|sorted|str|sum|super|tuple|type|zip)\b(?=\s*\()/g;
const MAX_HIGHLIGHT = 40000;

function highlight(code) {
  const out = document.createDocumentFragment();
  if (code.length > MAX_HIGHLIGHT) { out.append(code); return out; }
  const piece = (name, text) => el("span", { class: `hl-${name}` }, text);
  let last = 0;
  for (const found of code.matchAll(PYTHON)) {
    out.append(code.slice(last, found.index));
    const [whole, comment, string, number, head, name, keyword, builtin] = found;
    if (comment) out.append(piece("c", comment));
    else if (string) out.append(piece("s", string));
    else if (number) out.append(piece("n", number));
    else if (head) out.append(piece("k", head), piece("d", name));
    else if (keyword) out.append(piece("k", keyword));
    else if (builtin) out.append(piece("b", builtin));
    last = found.index + whole.length;
  }
  out.append(code.slice(last));
  return out;
}

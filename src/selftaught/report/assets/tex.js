// TeX to MathML by Temml (vendor/temml.min.js). It builds elements and never parses markup; links and images are refused.
const MAX_TEX = 3000;
const TEX_OPTIONS = { throwOnError: true, trust: false, strict: false, maxExpand: 300, maxSize: [20, 200] };

/** Style attributes become style properties (the page's policy refuses the former); nothing else may leave the formula. */
function harmless(node) {
  const attributes = node.attributes || {};
  for (const name of Object.keys(attributes)) {
    if (name === "style") {
      for (const rule of attributes.style.split(";")) {
        const [property, value] = rule.split(":");
        if (value) node.style[property.trim()] = value.trim();
      }
    }
    if (/^(style|id|href|src|on.*)$/i.test(name)) delete attributes[name];
  }
  (node.children || []).forEach(harmless);
  return node;
}

/** A <math> element for TeX source, or the source itself where it cannot be read. */
function renderTex(source, block) {
  try {
    if (source.length > MAX_TEX) throw new Error("too long");
    const tree = temml.__renderToMathMLTree(source, { ...TEX_OPTIONS, displayMode: block });
    const node = harmless(tree).toNode();
    node.setAttribute("title", source);
    return node;
  } catch { return document.createTextNode(block ? `$$${source}$$` : `$${source}$`); }
}

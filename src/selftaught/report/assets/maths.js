// TeX to MathML, the part of TeX that answers are written in. What is not known stays readable as its source.
const MATHML = "http://www.w3.org/1998/Math/MathML";
/** "name sign name sign …" as a table without inherited names. */
function pairTable(words) {
  const table = Object.create(null), list = words.split(" ");
  for (let i = 0; i + 1 < list.length; i += 2) table[list[i]] = list[i + 1];
  return table;
}
const GREEK = pairTable("alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ sigma σ tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω ell ℓ infty ∞ emptyset ∅ varnothing ∅ partial ∂ nabla ∇ hbar ℏ Re ℜ Im ℑ aleph ℵ");
const SIGN = pairTable("cdot ⋅ times × div ÷ pm ± mp ∓ le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ equiv ≡ approx ≈ sim ∼ cong ≅ propto ∝ to → rightarrow → leftarrow ← Rightarrow ⇒ implies ⟹ iff ⟺ Leftrightarrow ⇔ mapsto ↦ in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃ cup ∪ cap ∩ setminus ∖ land ∧ wedge ∧ lor ∨ vee ∨ neg ¬ lnot ¬ forall ∀ exists ∃ mid ∣ nmid ∤ parallel ∥ perp ⊥ angle ∠ triangle △ circ ∘ bullet ∙ star ⋆ ast ∗ ldots … dots … cdots ⋯ vdots ⋮ ddots ⋱ prime ′ therefore ∴ because ∵ ll ≪ gg ≫ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ lvert | rvert | vert | Vert ‖ backslash \\ { { } } | ‖ $ $ % % # # & & _ _ degree °");
const BIG = { __proto__: null, sum: "∑", prod: "∏", int: "∫", oint: "∮", bigcup: "⋃", bigcap: "⋂" };
const NAMED = new Set("sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp gcd lcm det dim ker deg arg hom Pr".split(" "));
const LIMITS = new Set(["lim", "max", "min", "sup", "inf", "limsup", "liminf"]);
const SPACE = { __proto__: null, ",": 0.17, ":": 0.22, ";": 0.28, " ": 0.25, "!": -0.17, quad: 1, qquad: 2 };
const MAX_TEX = 3000;

function mathml(name, ...children) {
  const node = document.createElementNS(MATHML, name);
  node.append(...children.filter((child) => child !== null));
  return node;
}

function gap(em) {
  const node = mathml("mspace");
  node.setAttribute("width", `${em}em`);
  return node;
}

class TexReader {
  constructor(source, block) {
    this.tokens = source.match(/\\[A-Za-z]+|\\.|[0-9]+(?:[.,][0-9]+)*|\s+|[\s\S]/gu) || [];
    this.at = 0;
    this.depth = 0;
    this.block = block;
  }
  peek() {
    while (this.at < this.tokens.length && /^\s+$/.test(this.tokens[this.at])) this.at++;
    return this.tokens[this.at];
  }
  next() { const token = this.peek(); this.at++; return token; }

  row(isEnd) {
    if (++this.depth > 80) throw new Error("too deep");
    const items = [];
    while (this.peek() !== undefined && !isEnd(this.peek())) items.push(this.scripts());
    this.depth--;
    return items.length === 1 ? items[0] : mathml("mrow", ...items);
  }

  scripts() {
    let base = this.atom();
    let under = null, over = null;
    const limits = base.limits;
    for (;;) {
      const token = this.peek();
      if (token === "_" && !under) { this.next(); under = this.atom(); }
      else if (token === "^" && !over) { this.next(); over = this.atom(); }
      else if (token === "'" && !over) { let marks = ""; while (this.peek() === "'") { this.next(); marks += "′"; } over = mathml("mo", marks); }
      else break;
    }
    if (!under && !over) return base;
    const kind = limits && this.block ? ["munder", "mover", "munderover"] : ["msub", "msup", "msubsup"];
    return mathml(under && over ? kind[2] : under ? kind[0] : kind[1], base, under, over);
  }

  group() {
    if (this.peek() !== "{") return this.atom();
    this.next();
    const inner = this.row((token) => token === "}");
    this.next();
    return inner;
  }

  raw() {
    let text = "", open = 0;
    if (this.peek() !== "{") return this.next() || "";
    this.at++;
    while (this.at < this.tokens.length) {
      const token = this.tokens[this.at++];
      if (token === "{") open++;
      if (token === "}" && open-- === 0) break;
      text += token;
    }
    return text;
  }

  atom() {
    const token = this.next();
    if (token === undefined) return mathml("mrow");
    if (token === "{") { this.at--; return this.group(); }
    if (/^[0-9]/.test(token)) return mathml("mn", token);
    if (/^\p{L}$/u.test(token)) return mathml("mi", token);
    if (token === "-") return mathml("mo", "−");
    if (token === "&" || token === "}") return mathml("mrow");
    if (token[0] !== "\\") return mathml("mo", token);
    return this.command(token.slice(1));
  }

  command(name) {
    if (name in GREEK) return mathml("mi", GREEK[name]);
    if (name in SIGN) return mathml("mo", SIGN[name]);
    if (name in BIG) { const node = mathml("mo", BIG[name]); node.limits = !name.endsWith("int"); return node; }
    if (LIMITS.has(name)) { const node = mathml("mi", name); node.limits = true; return node; }
    if (NAMED.has(name)) return mathml("mrow", mathml("mi", name), mathml("mo", "\u2061"));
    if (name in SPACE) return gap(SPACE[name]);
    switch (name) {
      case "frac": case "dfrac": case "tfrac": case "cfrac": return mathml("mfrac", this.group(), this.group());
      case "binom": case "dbinom": case "tbinom": {
        const node = mathml("mfrac", this.group(), this.group());
        node.setAttribute("linethickness", "0");
        return mathml("mrow", mathml("mo", "("), node, mathml("mo", ")"));
      }
      case "sqrt": {
        if (this.peek() !== "[") return mathml("msqrt", this.group());
        this.next();
        const degree = this.row((token) => token === "]");
        this.next();
        return mathml("mroot", this.group(), degree);
      }
      case "boxed": case "fbox": { const node = mathml("mrow", this.group()); node.setAttribute("class", "boxed"); return node; }
      case "text": case "textbf": case "textit": case "mbox": case "textrm": return mathml("mtext", this.raw());
      case "mathrm": case "operatorname": case "mathbf": case "mathbb": case "mathcal": case "mathsf": case "mathit": case "bm": return mathml("mi", this.raw());
      case "overline": case "bar": return this.accent("mover", "‾");
      case "hat": case "widehat": return this.accent("mover", "^");
      case "vec": return this.accent("mover", "→");
      case "dot": return this.accent("mover", "˙");
      case "underline": return this.accent("munder", "_");
      case "pmod": return mathml("mrow", gap(0.6), mathml("mo", "("), mathml("mi", "mod"), gap(0.3), this.group(), mathml("mo", ")"));
      case "bmod": case "mod": return mathml("mo", " mod ");
      case "left": return this.fenced();
      case "begin": return this.environment(this.raw());
      case "displaystyle": case "textstyle": case "limits": case "nolimits": case "big": case "Big": case "bigg": case "Bigg": case "bigl": case "bigr": case "right": case "middle": return mathml("mrow");
      default: return mathml("mtext", `\\${name}`);
    }
  }

  accent(kind, sign) {
    const mark = mathml("mo", sign);
    mark.setAttribute("stretchy", "true");
    return mathml(kind, this.group(), mark);
  }

  delimiter() {
    const token = this.next() || ".";
    const name = token.replace(/^\\/, "");
    return token === "." ? null : mathml("mo", token[0] === "\\" ? SIGN[name] || name : token);
  }

  fenced() {
    const open = this.delimiter();
    const inner = this.row((token) => token === "\\right");
    this.next();
    return mathml("mrow", open, inner, this.delimiter());
  }

  environment(name) {
    if (/^(array|tabular)$/.test(name) && this.peek() === "{") this.raw();
    const isEnd = (token) => token === "\\end";
    const table = mathml("mtable");
    while (this.peek() !== undefined && !isEnd(this.peek())) {
      const line = mathml("mtr");
      for (;;) {
        line.append(mathml("mtd", this.row((token) => token === "&" || token === "\\\\" || isEnd(token))));
        if (this.peek() !== "&") break;
        this.next();
      }
      table.append(line);
      if (this.peek() === "\\\\") this.next();
    }
    this.next();
    this.raw();
    const [open, close] = { pmatrix: ["(", ")"], bmatrix: ["[", "]"], vmatrix: ["|", "|"], cases: ["{", null] }[name] || [null, null];
    return mathml("mrow", open && mathml("mo", open), table, close && mathml("mo", close));
  }
}

/** A <math> element for TeX source, or its plain text where it cannot be read. */
function renderTex(source, block) {
  try {
    if (source.length > MAX_TEX) throw new Error("too long");
    const reader = new TexReader(source, block);
    const node = mathml("math", reader.row(() => false));
    if (block) node.setAttribute("display", "block");
    node.setAttribute("title", source);
    return node;
  } catch { return document.createTextNode(block ? `$$${source}$$` : `$${source}$`); }
}

/** Whether a font face's unicode-range holds one of these characters. A face without a range holds all. */
export function coversAny(range: string, characters: Iterable<string>): boolean {
  if (!range.trim()) return true;
  const spans = range.split(',').map((part) => {
    const [from, to] = part.trim().replace(/^U\+/i, '').split('-');
    return [Number.parseInt(from.replaceAll('?', '0'), 16), Number.parseInt((to ?? from).replaceAll('?', 'F'), 16)];
  });
  for (const character of characters) {
    const code = character.codePointAt(0) ?? 0;
    if (spans.some(([from, to]) => code >= from && code <= to)) return true;
  }
  return false;
}

/** The font faces of the page's styles, and where their files' addresses start from. */
export function* faces(): Generator<{ rule: CSSFontFaceRule; base: string }> {
  for (const sheet of document.styleSheets)
    for (const rule of sheet.cssRules)
      if (rule instanceof CSSFontFaceRule) yield { rule, base: sheet.href ?? location.href };
}

/** Family, and address of the first file of a face. */
export function familyAndFile({ style }: CSSFontFaceRule, base: string): { family: string; file?: string } {
  const family = style.getPropertyValue('font-family').replaceAll(/["']/g, '').trim();
  const url = /url\(["']?([^"')]+)["']?\)/.exec(style.getPropertyValue('src'))?.[1];
  return { family, file: url && new URL(url, base).href };
}

export async function dataUrl(url: string): Promise<string> {
  const blob = await (await fetch(url)).blob();
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** `@font-face` rules with the font files inside, for the families and characters that a figure uses. */
export async function embeddedFonts(families: ReadonlySet<string>, text: string): Promise<string> {
  const characters = new Set(text);
  const rules: string[] = [];
  for (const { rule, base } of faces()) {
    const { style } = rule;
    const { family, file } = familyAndFile(rule, base);
    if (!file || !families.has(family) || !coversAny(style.getPropertyValue('unicode-range'), characters)) continue;
    const source = await dataUrl(file);
    const weight = style.getPropertyValue('font-weight') || 'normal';
    rules.push(`@font-face{font-family:"${family}";font-weight:${weight};src:url(${source}) format("woff2")}`);
  }
  return rules.join('');
}

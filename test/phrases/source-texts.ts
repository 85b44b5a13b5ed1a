/** Texts that the sources hand to people: arguments of `UserError`, and other literals that are sentences. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { projectRoot } from '../../main/system/project-root.ts';

export interface SourceText {
  file: string;
  /** With `7` where the source has a value. */
  sample: string;
}

/** @param paths files or folders below the repository's root */
export function errorTexts(paths: readonly string[]): SourceText[] {
  return paths.flatMap(sourceFiles).flatMap((file) => {
    const found: SourceText[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isNewExpression(node) && node.expression.getText() === 'UserError') {
        for (const argument of node.arguments?.slice(1, 3) ?? [])
          for (const sample of samplesOf(argument)) found.push({ file, sample });
      }
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(file, readFileSync(join(projectRoot(), file), 'utf8'), ts.ScriptTarget.Latest, true));
    return found;
  });
}

function sourceFiles(path: string): string[] {
  if (path.endsWith('.ts')) return [path];
  return readdirSync(join(projectRoot(), path), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.as.ts'))
    .map((name) => `${path}/${name}`);
}

/** What an expression can come to; nothing where it's no text of its own. */
function samplesOf(node: ts.Expression): string[] {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text];
  if (ts.isTemplateExpression(node))
    return [node.head.text + node.templateSpans.map(({ literal }) => `7${literal.text}`).join('')];
  if (ts.isConditionalExpression(node)) return [...samplesOf(node.whenTrue), ...samplesOf(node.whenFalse)];
  if (ts.isParenthesizedExpression(node)) return samplesOf(node.expression);
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken)
    return samplesOf(node.left).flatMap((left) => samplesOf(node.right).map((right) => left + right));
  return [];
}

/** English left in a text of another script: four words of Latin letters in a row. */
export function englishIn(text: string): string | null {
  return /(?:\b[A-Za-z][a-z'’-]*[,;:]? ){3}[A-Za-z][a-z'’-]*/.exec(text)?.[0] ?? null;
}

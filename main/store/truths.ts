import type { Database } from './database.ts';

/**
 * What people say that parts are: their answer about the part, else the label of its picture.
 * @returns by the part's id as text; parts that nobody judged are not in it
 */
export function truthsOfParts(
  database: Database,
  projectId: string,
  firstId: number,
  lastId: number,
): Map<string, 'pass' | 'fail'> {
  const rows = database.all<{ id: number; truth: 'pass' | 'fail' }>(
    `SELECT p.id, coalesce(p.person_verdict, pp.gt_label) AS truth
     FROM parts p LEFT JOIN project_pictures pp ON pp.project_id = p.project_id AND pp.sha256 = p.picture_sha256
     WHERE p.project_id = ? AND p.id BETWEEN ? AND ? AND coalesce(p.person_verdict, pp.gt_label) IN ('pass', 'fail')`,
    projectId,
    firstId,
    lastId,
  );
  return new Map(rows.map(({ id, truth }) => [String(id), truth]));
}

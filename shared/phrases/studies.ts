import type { Phrase } from './phrase.ts';

/** Studies of people's agreement, a candidate beside the active model. */
export const studyPhrases: readonly Phrase[] = [
  [
    'This alarm no longer stands.',
    'Diese Warnung gilt nicht mehr.',
    '이 경보는 더 이상 유효하지 않습니다.',
    '此警报已不再有效。',
  ],
  ['Look at the newest one.', 'Bitte die neueste ansehen.', '최신 경보를 확인하세요.', '请查看最新的警报。'],
  [
    'The model belongs to another project.',
    'Das Modell gehört zu einem anderen Projekt.',
    '다른 프로젝트의 모델입니다.',
    '该模型属于另一个项目。',
  ],
  [
    'Nobody judges in this study.',
    'In dieser Studie urteilt niemand.',
    '이 연구에 판정자가 없습니다.',
    '该研究没有评判人。',
  ],
  ['Name two or three people.', 'Bitte zwei oder drei Personen nennen.', '두세 사람을 지정하세요.', '请指定两三个人。'],
  ['"{name}" has no account.', '„{name}“ hat kein Konto.', '"{name}" 님의 계정이 없습니다.', '“{name}”没有账户。'],
  [
    'Choose people who can sign in.',
    'Bitte Personen wählen, die sich anmelden können.',
    '로그인할 수 있는 사람을 선택하세요.',
    '请选择可以登录的人。',
  ],
  [
    'There are {pictures} pictures of {parts} parts, not {wanted}.',
    'Es gibt {pictures} Bilder von {parts} Teilen, nicht {wanted}.',
    '부품 {parts}개의 사진 {pictures}장이 있으며 {wanted}개가 아닙니다.',
    '有 {parts} 个零件的 {pictures} 张图片，而非 {wanted}。',
  ],
  [
    'Take fewer, or label more pictures.',
    'Weniger nehmen oder mehr Bilder beurteilen.',
    '수를 줄이거나 사진을 더 판정하세요.',
    '请减少数量，或标注更多图片。',
  ],
  [
    'This part has its answer already.',
    'Dieses Teil ist schon beantwortet.',
    '이 부품은 이미 답했습니다.',
    '该零件已有答案。',
  ],
  ['Go on with the next one.', 'Bitte mit dem nächsten weitermachen.', '다음 부품으로 넘어가세요.', '请继续下一个。'],
  ['The study has ended.', 'Die Studie ist zu Ende.', '연구가 끝났습니다.', '研究已结束。'],
  ['Look at its results.', 'Bitte die Ergebnisse ansehen.', '결과를 확인하세요.', '请查看结果。'],
  [
    'Not everybody has judged every part.',
    'Noch haben nicht alle jedes Teil beurteilt.',
    '아직 모든 사람이 모든 부품을 판정하지 않았습니다.',
    '并非所有人都已判定每个零件。',
  ],
  [
    'Results come when all have.',
    'Ergebnisse gibt es, wenn alle fertig sind.',
    '모두 끝나면 결과가 나옵니다.',
    '全部完成后才有结果。',
  ],
  ['The study was ended.', 'Die Studie wurde beendet.', '연구가 종료되었습니다.', '研究已被终止。'],
  [
    'Nothing more to judge.',
    'Es gibt nichts mehr zu beurteilen.',
    '더 판정할 것이 없습니다.',
    '没有更多可判定的内容。',
  ],
  [
    '{name} does not judge as "{appraiser}".',
    '{name} urteilt nicht als „{appraiser}“.',
    '{name} 님은 "{appraiser}"(으)로 판정하지 않습니다.',
    '{name} 不以“{appraiser}”身份判定。',
  ],
  ['Sign in as "{name}".', 'Bitte als „{name}“ anmelden.', '"{name}"(으)로 로그인하세요.', '请以“{name}”登录。'],
  [
    'The picture of part {part} is not kept any more.',
    'Das Bild von Teil {part} wird nicht mehr aufbewahrt.',
    '부품 {part}의 사진은 더 이상 보관되지 않습니다.',
    '零件 {part} 的图片已不再保存。',
  ],
  ['The comparison has no end.', 'Der Vergleich hat kein Ende.', '비교에 끝이 없습니다.', '比较没有终点。'],
  [
    'Say after how many parts or hours it ends.',
    'Bitte sagen, nach wie vielen Teilen oder Stunden er endet.',
    '부품 몇 개 또는 몇 시간 후에 끝날지 지정하세요.',
    '请指定多少零件或多少小时后结束。',
  ],
  ['There is no such study.', 'Diese Studie gibt es nicht.', '그런 연구가 없습니다.', '没有此研究。'],
];

/** The words of the printed reports. One record per language; the type makes a missing word an error. */
import type { Verdict } from '../../../shared/detection.ts';
import type { DriftCause } from '../../../shared/drift/types.ts';
import type { StationModel } from '../../../shared/station/domain.ts';

export interface ReportWords {
  locale: string;
  lotReport: string;
  partCertificate: string;
  modelCard: string;
  station: string;
  project: string;
  lot: string;
  serial: string;
  class: string;
  period: string;
  printed: string;
  allLots: string;
  parts: string;
  share: string;
  interval: string;
  verdicts: Record<Verdict, string>;
  verdict: string;
  yieldOverTime: string;
  yieldAxis: string;
  timeAxis: string;
  defects: string;
  partsAxis: string;
  person: string;
  personAnswered: string;
  falseRejects: string;
  escapes: string;
  /** Heads of columns: of good pictures, and of defects. */
  goodFailed: string;
  defectsPassed: string;
  failedParts: string;
  more: (count: number) => string;
  time: string;
  score: string;
  reviewFrom: string;
  failFrom: string;
  model: string;
  modelHash: string;
  basis: string;
  unknownClasses: string;
  override: string;
  picture: string;
  heatMap: string;
  /** The most suspicious place. */
  hottest: string;
  /** @param x, y 0..100 from the left and the top */
  placeAt: (x: number, y: number, areaPx: string) => string;
  pictureHash: string;
  local: string;
  semantic: string;
  memory: string;
  rawScore: string;
  scoreHint: string;
  reason: string;
  /** Note of a part that was judged while the drift guard's alarm stood. */
  notCovered(cause: DriftCause): string;
  trainedOn: (pictures: number) => string;
  trainedAt: string;
  trainedBy: string;
  preset: string;
  engine: string;
  parity: string;
  parityStatement: (difference: string, flips: number, pictures: number) => string;
  perClass: string;
  notMeasured: string;
  thresholdChanges: string;
  none: string;
  /** Who did what nobody did: the station by itself. */
  byItself: string;
  printedBy: string;
  /** What the list is limited to. */
  selection: string;
  serialBegins: (beginning: string) => string;
  personIs: Record<'none' | 'pass' | 'fail' | 'disagrees', string>;
  firstAndLast: string;
  file: string;
  similar: string;
  /** @param review, fail on the scale whose fail threshold is 50 */
  heatLegend: (review: string, fail: string) => string;
  lookedAt: string;
  /** @param x, y, width, height 0..100 of the picture */
  lookedAtPart: (x: number, y: number, width: number, height: number) => string;
  ignoredPlaces: (count: number) => string;
  classDistance: string;
  unknownFrom: (distance: string, limit: string) => string;
  thresholds: string;
  since: string;
  setBy: string;
  /** Reason of the thresholds that came with the model. */
  asTrained: string;
  takenBack: string;
  what: string;
  signature: string;
  nameAndDate: string;
  presets: Record<string, string>;
  modelState: string;
  modelStates: Record<StationModel['state'], string>;
  gates: string;
  gateNames: Record<string, string>;
  gatePassed: string;
  gateRefused: string;
  learnedFrom: string;
  snapshotHash: string;
  forThresholds: string;
  allClasses: string;
  scores: string;
  good: string;
  defective: string;
  scoreAxis: string;
  picturesAxis: string;
  pictures: string;
  /** Parts beyond what one report reads. */
  onlyNewest: (count: string) => string;
}

const en: ReportWords = {
  locale: 'en',
  lotReport: 'Lot report',
  partCertificate: 'Part certificate',
  modelCard: 'Model card',
  station: 'Station',
  project: 'Project',
  lot: 'Lot',
  serial: 'Serial',
  class: 'Class',
  period: 'Period',
  printed: 'Printed',
  allLots: 'all lots',
  parts: 'Parts',
  share: 'Share',
  interval: '95 % interval',
  verdicts: { pass: 'Pass', fail: 'Fail', review: 'Review', noDecision: 'No decision' },
  verdict: 'Verdict',
  yieldOverTime: 'Parts passed over time',
  yieldAxis: 'passed (%)',
  timeAxis: 'time',
  defects: 'Defects by kind',
  partsAxis: 'parts',
  person: 'Answered by a person',
  personAnswered: 'Parts that a person answered',
  falseRejects: 'False rejects found (failed, but a person passed it)',
  escapes: 'Escapes found (passed, but a person failed it)',
  failedParts: 'Parts not passed',
  more: (count) => `${count} more are in the export.`,
  time: 'Time',
  score: 'Score',
  reviewFrom: 'Review from',
  failFrom: 'Fail from',
  model: 'Model',
  modelHash: 'Model hash (SHA-256)',
  basis: 'Basis of the thresholds',
  unknownClasses: 'Parts of unknown classes',
  override: 'Let through against its gates',
  picture: 'Picture',
  heatMap: 'Suspicious places',
  hottest: 'Most suspicious place',
  placeAt: (x, y, areaPx) => `${x} % from the left, ${y} % from the top; ${areaPx} px²`,
  pictureHash: 'Picture hash (SHA-256)',
  local: 'Local change',
  semantic: 'Part as a whole',
  memory: 'Unlike known good parts',
  rawScore: 'raw score',
  scoreHint: '50 is the fail threshold; higher is less like a good part.',
  reason: 'Reason',
  notCovered: (cause) =>
    `The calibration did not cover this part: ${{ light: 'the light had changed', colour: 'the colour had changed', focus: 'the sharpness had changed', position: 'parts lay differently', product: 'parts looked different', camera: 'the camera was set differently' }[cause]}.`,
  trainedOn: (pictures) => `${pictures} pictures of good parts`,
  trainedAt: 'Trained',
  trainedBy: 'Trained by',
  preset: 'Preset',
  engine: 'Engine',
  parity: 'Parity check',
  parityStatement: (difference, flips, pictures) =>
    `Trainer and package differ by at most ${difference} over ${pictures} pictures; ${flips} verdicts differ.`,
  perClass: 'Found on pictures that took no part in training',
  notMeasured: 'not measured',
  goodFailed: 'Good failed',
  defectsPassed: 'Defects passed',
  thresholdChanges: 'Changes of the thresholds',
  none: 'none',
  byItself: 'the station by itself',
  printedBy: 'Printed by',
  selection: 'Only parts with',
  serialBegins: (beginning) => `serial beginning with ${beginning}`,
  personIs: {
    none: 'no answer of a person',
    pass: 'a person’s answer "pass"',
    fail: 'a person’s answer "fail"',
    disagrees: 'an answer that differs from the model',
  },
  firstAndLast: 'First and last part',
  file: 'File',
  similar: 'Most similar good part',
  heatLegend: (review, fail) => `Coloured from score ${review} (review), full colour from ${fail} (fail).`,
  lookedAt: 'Looked at',
  lookedAtPart: (x, y, width, height) =>
    `${width} % × ${height} % of the picture, from ${x} % from the left and ${y} % from the top`,
  ignoredPlaces: (count) => `places left out: ${count}`,
  classDistance: 'Distance to its class',
  unknownFrom: (distance, limit) => `${distance} (unknown from ${limit})`,
  thresholds: 'Thresholds',
  since: 'Since',
  setBy: 'Set by',
  asTrained: 'as trained',
  takenBack: 'taken back',
  what: 'What',
  signature: 'Signature',
  nameAndDate: 'Name, date',
  presets: {
    instant: 'Instant',
    embedded: 'Full',
    'paper-small': 'DINOv2 small',
    'paper-base': 'DINOv2 base',
    'paper-large': 'DINOv2 large',
  },
  modelState: 'State',
  modelStates: { candidate: 'candidate', active: 'in use', previous: 'in use before', retired: 'retired' },
  gates: 'Checks before use',
  gateNames: {
    golden: 'Golden set',
    oldProducts: 'Old products',
    parity: 'Same scores as in training',
    latency: 'Fast enough for the line',
  },
  gatePassed: 'passed',
  gateRefused: 'not passed',
  learnedFrom: 'Pictures learnt from',
  snapshotHash: 'Snapshot of the pictures (SHA-256)',
  forThresholds: 'For the thresholds',
  allClasses: 'all classes',
  scores: 'Scores of labelled pictures it never learnt from',
  good: 'good',
  defective: 'defective',
  scoreAxis: 'score (50 = fail)',
  picturesAxis: 'pictures',
  pictures: 'Pictures',
  onlyNewest: (count) => `Thresholds and parts are listed for the newest ${count} parts.`,
};

const de: ReportWords = {
  locale: 'de',
  lotReport: 'Losbericht',
  partCertificate: 'Teilezertifikat',
  modelCard: 'Modellkarte',
  station: 'Station',
  project: 'Projekt',
  lot: 'Los',
  serial: 'Seriennummer',
  class: 'Klasse',
  period: 'Zeitraum',
  printed: 'Gedruckt',
  allLots: 'alle Lose',
  parts: 'Teile',
  share: 'Anteil',
  interval: '95-%-Intervall',
  verdicts: { pass: 'Gut', fail: 'Schlecht', review: 'Prüfen', noDecision: 'Kein Urteil' },
  verdict: 'Urteil',
  yieldOverTime: 'Gutteile im Zeitverlauf',
  yieldAxis: 'gut (%)',
  timeAxis: 'Zeit',
  defects: 'Fehler nach Art',
  partsAxis: 'Teile',
  person: 'Von Menschen entschieden',
  personAnswered: 'Von Menschen entschiedene Teile',
  falseRejects: 'Gefundene Pseudofehler (schlecht, vom Menschen gutgeheißen)',
  escapes: 'Gefundener Schlupf (gut, vom Menschen abgelehnt)',
  failedParts: 'Nicht bestandene Teile',
  more: (count) => `${count} weitere stehen im Export.`,
  time: 'Zeit',
  score: 'Wert',
  reviewFrom: 'Prüfen ab',
  failFrom: 'Schlecht ab',
  model: 'Modell',
  modelHash: 'Prüfsumme des Modells (SHA-256)',
  basis: 'Grundlage der Schwellen',
  unknownClasses: 'Teile unbekannter Klassen',
  override: 'Gegen die Prüfungen freigegeben',
  picture: 'Bild',
  heatMap: 'Auffällige Stellen',
  hottest: 'Auffälligste Stelle',
  placeAt: (x, y, areaPx) => `${x} % von links, ${y} % von oben; ${areaPx} px²`,
  pictureHash: 'Prüfsumme des Bildes (SHA-256)',
  local: 'Örtliche Abweichung',
  semantic: 'Teil als Ganzes',
  memory: 'Anders als bekannte Gutteile',
  rawScore: 'Rohwert',
  scoreHint: '50 ist die Schlecht-Schwelle; je höher, desto weniger gleicht das Teil einem Gutteil.',
  reason: 'Grund',
  notCovered: (cause) =>
    `Die Kalibrierung deckte dieses Teil nicht ab: ${{ light: 'das Licht hatte sich geändert', colour: 'die Farbe hatte sich geändert', focus: 'die Schärfe hatte sich geändert', position: 'die Teile lagen anders', product: 'die Teile sahen anders aus', camera: 'die Kamera war anders eingestellt' }[cause]}.`,
  trainedOn: (pictures) => `${pictures} Bilder von Gutteilen`,
  trainedAt: 'Trainiert',
  trainedBy: 'Trainiert von',
  preset: 'Voreinstellung',
  engine: 'Rechenwerk',
  parity: 'Gleichlauf',
  parityStatement: (difference, flips, pictures) =>
    `Trainer und Paket weichen über ${pictures} Bilder höchstens ${difference} ab; ${flips} Urteile sind verschieden.`,
  perClass: 'Auf Bildern gemessen, die nicht am Training teilnahmen',
  notMeasured: 'nicht gemessen',
  goodFailed: 'Gute durchgefallen',
  defectsPassed: 'Fehler durchgegangen',
  thresholdChanges: 'Änderungen der Schwellen',
  none: 'keine',
  byItself: 'die Station von selbst',
  printedBy: 'Gedruckt von',
  selection: 'Nur Teile mit',
  serialBegins: (beginning) => `Seriennummer beginnt mit ${beginning}`,
  personIs: {
    none: 'keiner Antwort eines Menschen',
    pass: 'Antwort eines Menschen: Gut',
    fail: 'Antwort eines Menschen: Schlecht',
    disagrees: 'einer Antwort, die vom Modell abweicht',
  },
  firstAndLast: 'Erstes und letztes Teil',
  file: 'Datei',
  similar: 'Ähnlichstes Gutteil',
  heatLegend: (review, fail) => `Gefärbt ab Wert ${review} (Prüfen), volle Farbe ab ${fail} (Schlecht).`,
  lookedAt: 'Betrachtet',
  lookedAtPart: (x, y, width, height) => `${width} % × ${height} % des Bildes, ab ${x} % von links und ${y} % von oben`,
  ignoredPlaces: (count) => `ausgelassene Stellen: ${count}`,
  classDistance: 'Abstand zur Klasse',
  unknownFrom: (distance, limit) => `${distance} (unbekannt ab ${limit})`,
  thresholds: 'Schwellen',
  since: 'Seit',
  setBy: 'Gesetzt von',
  asTrained: 'aus dem Training',
  takenBack: 'zurückgenommen',
  what: 'Was',
  signature: 'Unterschrift',
  nameAndDate: 'Name, Datum',
  presets: {
    instant: 'Sofort',
    embedded: 'Vollständig',
    'paper-small': 'DINOv2 klein',
    'paper-base': 'DINOv2 mittel',
    'paper-large': 'DINOv2 groß',
  },
  modelState: 'Zustand',
  modelStates: { candidate: 'Kandidat', active: 'in Betrieb', previous: 'zuvor in Betrieb', retired: 'abgelöst' },
  gates: 'Prüfungen vor dem Einsatz',
  gateNames: {
    golden: 'Referenzsatz',
    oldProducts: 'Bisherige Produkte',
    parity: 'Gleiche Werte wie im Training',
    latency: 'Schnell genug für die Linie',
  },
  gatePassed: 'bestanden',
  gateRefused: 'nicht bestanden',
  learnedFrom: 'Bilder, aus denen es lernte',
  snapshotHash: 'Prüfsumme des Bilderstands (SHA-256)',
  forThresholds: 'Für die Schwellen',
  allClasses: 'alle Klassen',
  scores: 'Werte beurteilter Bilder, aus denen es nie lernte',
  good: 'gut',
  defective: 'fehlerhaft',
  scoreAxis: 'Wert (50 = Schlecht)',
  picturesAxis: 'Bilder',
  pictures: 'Bilder',
  onlyNewest: (count) => `Schwellen und Teile sind für die neuesten ${count} Teile aufgeführt.`,
};

const ko: ReportWords = {
  locale: 'ko',
  lotReport: '로트 보고서',
  partCertificate: '부품 증명서',
  modelCard: '모델 카드',
  station: '스테이션',
  project: '프로젝트',
  lot: '로트',
  serial: '일련번호',
  class: '클래스',
  period: '기간',
  printed: '출력 시각',
  allLots: '모든 로트',
  parts: '부품 수',
  share: '비율',
  interval: '95 % 구간',
  verdicts: { pass: '합격', fail: '불합격', review: '검토', noDecision: '판정 없음' },
  verdict: '판정',
  yieldOverTime: '시간별 합격률',
  yieldAxis: '합격 (%)',
  timeAxis: '시간',
  defects: '종류별 결함',
  partsAxis: '부품 수',
  person: '사람의 판정',
  personAnswered: '사람이 판정한 부품',
  falseRejects: '발견된 오불합격 (불합격이나 사람이 합격시킴)',
  escapes: '발견된 유출 (합격이나 사람이 불합격시킴)',
  failedParts: '합격하지 못한 부품',
  more: (count) => `${count}개가 내보내기 파일에 더 있습니다.`,
  time: '시각',
  score: '점수',
  reviewFrom: '검토 기준',
  failFrom: '불합격 기준',
  model: '모델',
  modelHash: '모델 해시 (SHA-256)',
  basis: '임계값의 근거',
  unknownClasses: '알 수 없는 종류의 부품',
  override: '관문을 무시하고 승인됨',
  picture: '사진',
  heatMap: '의심 부위',
  hottest: '가장 의심스러운 위치',
  placeAt: (x, y, areaPx) => `왼쪽에서 ${x} %, 위에서 ${y} %; ${areaPx} px²`,
  pictureHash: '사진 해시 (SHA-256)',
  local: '국부 변화',
  semantic: '부품 전체',
  memory: '알려진 양품과의 차이',
  rawScore: '원점수',
  scoreHint: '50이 불합격 임계값이며, 높을수록 양품과 다릅니다.',
  reason: '사유',
  notCovered: (cause) =>
    `이 부품은 보정 범위 밖에서 판정됨: ${{ light: '조명이 바뀜', colour: '색이 바뀜', focus: '선명도가 바뀜', position: '부품 위치가 달라짐', product: '부품 모양이 달라짐', camera: '카메라 설정이 바뀜' }[cause]}.`,
  trainedOn: (pictures) => `양품 사진 ${pictures}장`,
  trainedAt: '학습 시각',
  trainedBy: '학습한 사람',
  preset: '프리셋',
  engine: '엔진',
  parity: '일치 검사',
  parityStatement: (difference, flips, pictures) =>
    `사진 ${pictures}장에서 학습기와 패키지의 차이는 최대 ${difference}이고, 판정 차이는 ${flips}건입니다.`,
  perClass: '학습에 쓰이지 않은 사진에서 측정',
  notMeasured: '측정하지 않음',
  goodFailed: '불합격된 양품',
  defectsPassed: '합격된 불량',
  thresholdChanges: '임계값 변경',
  none: '없음',
  byItself: '스테이션 자동',
  printedBy: '출력한 사람',
  selection: '다음 부품만',
  serialBegins: (beginning) => `일련번호가 ${beginning}(으)로 시작`,
  personIs: {
    none: '사람이 판정하지 않음',
    pass: '사람의 판정: 합격',
    fail: '사람의 판정: 불합격',
    disagrees: '사람의 판정이 모델과 다름',
  },
  firstAndLast: '첫 부품과 마지막 부품',
  file: '파일',
  similar: '가장 비슷한 양품',
  heatLegend: (review, fail) => `점수 ${review}(검토)부터 색이 나타나고 ${fail}(불합격)부터 가장 진합니다.`,
  lookedAt: '검사 영역',
  lookedAtPart: (x, y, width, height) => `왼쪽 ${x} %, 위 ${y} %에서 시작하는 사진의 ${width} % × ${height} %`,
  ignoredPlaces: (count) => `제외 영역: ${count}`,
  classDistance: '클래스와의 거리',
  unknownFrom: (distance, limit) => `${distance} (${limit}부터 알 수 없음)`,
  thresholds: '임계값',
  since: '적용 시작',
  setBy: '설정한 사람',
  asTrained: '학습에서 정해짐',
  takenBack: '취소됨',
  what: '내용',
  signature: '서명',
  nameAndDate: '이름, 날짜',
  presets: {
    instant: '즉시',
    embedded: '전체',
    'paper-small': 'DINOv2 소형',
    'paper-base': 'DINOv2 기본',
    'paper-large': 'DINOv2 대형',
  },
  modelState: '상태',
  modelStates: { candidate: '후보', active: '사용 중', previous: '이전 모델', retired: '사용 종료' },
  gates: '사용 전 검사',
  gateNames: {
    golden: '골든 세트',
    oldProducts: '기존 제품',
    parity: '학습과 같은 점수',
    latency: '라인 속도 충족',
  },
  gatePassed: '통과',
  gateRefused: '통과하지 못함',
  learnedFrom: '학습한 사진',
  snapshotHash: '사진 스냅숏 해시 (SHA-256)',
  forThresholds: '임계값용',
  allClasses: '모든 클래스',
  scores: '학습에 쓰이지 않은 라벨 사진의 점수',
  good: '양품',
  defective: '불량',
  scoreAxis: '점수 (50 = 불합격)',
  picturesAxis: '사진 수',
  pictures: '사진 수',
  onlyNewest: (count) => `임계값과 부품 목록은 최근 부품 ${count}개에 대한 것입니다.`,
};

const zhCN: ReportWords = {
  locale: 'zh-CN',
  lotReport: '批次报告',
  partCertificate: '零件证书',
  modelCard: '模型卡',
  station: '工位',
  project: '项目',
  lot: '批次',
  serial: '序列号',
  class: '类别',
  period: '时间段',
  printed: '打印时间',
  allLots: '所有批次',
  parts: '零件数',
  share: '占比',
  interval: '95 % 区间',
  verdicts: { pass: '合格', fail: '不合格', review: '复检', noDecision: '未判定' },
  verdict: '判定',
  yieldOverTime: '合格率随时间变化',
  yieldAxis: '合格 (%)',
  timeAxis: '时间',
  defects: '缺陷种类',
  partsAxis: '零件数',
  person: '人工判定',
  personAnswered: '人工判定的零件',
  falseRejects: '发现的误判（判不合格，人工判合格）',
  escapes: '发现的漏检（判合格，人工判不合格）',
  failedParts: '未合格的零件',
  more: (count) => `另有 ${count} 个在导出文件中。`,
  time: '时间',
  score: '分数',
  reviewFrom: '复检起点',
  failFrom: '不合格起点',
  model: '模型',
  modelHash: '模型哈希 (SHA-256)',
  basis: '阈值依据',
  unknownClasses: '未知类别的零件',
  override: '未过关卡而放行',
  picture: '图片',
  heatMap: '可疑位置',
  hottest: '最可疑位置',
  placeAt: (x, y, areaPx) => `距左 ${x} %，距上 ${y} %；${areaPx} px²`,
  pictureHash: '图片哈希 (SHA-256)',
  local: '局部变化',
  semantic: '零件整体',
  memory: '与已知良品不同',
  rawScore: '原始分数',
  scoreHint: '50 为不合格阈值；分数越高，越不像良品。',
  reason: '原因',
  notCovered: (cause) =>
    `校准不涵盖此零件：${{ light: '光照已改变', colour: '颜色已改变', focus: '清晰度已改变', position: '零件位置不同', product: '零件外观不同', camera: '相机设置已改变' }[cause]}。`,
  trainedOn: (pictures) => `${pictures} 张良品图片`,
  trainedAt: '训练时间',
  trainedBy: '训练人',
  preset: '预设',
  engine: '引擎',
  parity: '一致性检查',
  parityStatement: (difference, flips, pictures) =>
    `在 ${pictures} 张图片上，训练器与模型包最多相差 ${difference}，判定不同 ${flips} 个。`,
  perClass: '在未参与训练的图片上测得',
  notMeasured: '未测量',
  goodFailed: '良品判不合格',
  defectsPassed: '缺陷判合格',
  thresholdChanges: '阈值变更',
  none: '无',
  byItself: '工位自动',
  printedBy: '打印人',
  selection: '仅限零件',
  serialBegins: (beginning) => `序列号以 ${beginning} 开头`,
  personIs: {
    none: '无人工判定',
    pass: '人工判定：合格',
    fail: '人工判定：不合格',
    disagrees: '人工判定与模型不同',
  },
  firstAndLast: '首件与末件',
  file: '文件',
  similar: '最相似的良品',
  heatLegend: (review, fail) => `分数达到 ${review}（复检）起着色，达到 ${fail}（不合格）时颜色最深。`,
  lookedAt: '检查区域',
  lookedAtPart: (x, y, width, height) => `图片的 ${width} % × ${height} %，起点距左 ${x} %、距上 ${y} %`,
  ignoredPlaces: (count) => `忽略区域：${count}`,
  classDistance: '与所属类别的距离',
  unknownFrom: (distance, limit) => `${distance}（达到 ${limit} 视为未知）`,
  thresholds: '阈值',
  since: '生效时间',
  setBy: '设置人',
  asTrained: '训练所得',
  takenBack: '已撤回',
  what: '内容',
  signature: '签名',
  nameAndDate: '姓名、日期',
  presets: {
    instant: '即时',
    embedded: '完整',
    'paper-small': 'DINOv2 小型',
    'paper-base': 'DINOv2 基础',
    'paper-large': 'DINOv2 大型',
  },
  modelState: '状态',
  modelStates: { candidate: '候选', active: '在用', previous: '先前在用', retired: '已停用' },
  gates: '使用前检查',
  gateNames: {
    golden: '黄金样本',
    oldProducts: '原有产品',
    parity: '与训练分数一致',
    latency: '满足产线节拍',
  },
  gatePassed: '通过',
  gateRefused: '未通过',
  learnedFrom: '学习所用图片',
  snapshotHash: '图片快照哈希 (SHA-256)',
  forThresholds: '用于阈值',
  allClasses: '所有类别',
  scores: '未用于学习的已标注图片的分数',
  good: '良品',
  defective: '缺陷品',
  scoreAxis: '分数（50 = 不合格）',
  picturesAxis: '图片数',
  pictures: '图片数',
  onlyNewest: (count) => `阈值与零件清单仅涵盖最新的 ${count} 个零件。`,
};

/** @param language as in the settings */
export function reportWords(language: 'en' | 'de' | 'ko' | 'zh-CN'): ReportWords {
  return { en, de, ko, 'zh-CN': zhCN }[language];
}

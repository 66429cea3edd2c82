/**
 * The flip browser, run in the reader's browser. It reads the items from the data block and writes them with textContent
 * only, so that nothing a model said can become markup. Kept as text: the page is one file and loads nothing.
 */
export const htmlBrowserScript = `
'use strict';
(() => {
  const items = JSON.parse(document.getElementById('items').textContent);
  const list = document.getElementById('list');
  const counter = document.getElementById('counter');
  const more = document.getElementById('more');
  const controls = { flip: document.getElementById('flip'), task: document.getElementById('task'), subject: document.getElementById('subject') };
  const flipNames = { gained: 'gained', lost: 'lost', bothRight: 'both right', bothWrong: 'both wrong', open: 'open question' };
  const pageSize = 25;
  let shown = pageSize;
  const make = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const flipOf = (item) => item.flip ?? 'open';
  const choices = (control, values, nameOf) => {
    for (const value of values) {
      const option = make('option', nameOf(value));
      option.value = value;
      control.append(option);
    }
  };
  choices(controls.flip, ['gained', 'lost', 'bothRight', 'bothWrong', 'open'].filter((flip) => items.some((item) => flipOf(item) === flip)), (flip) => flipNames[flip] + ' (' + items.filter((item) => flipOf(item) === flip).length + ')');
  choices(controls.task, [...new Set(items.map((item) => item.task))], (task) => task);
  choices(controls.subject, [...new Set(items.map((item) => item.subject).filter((subject) => subject !== null))].sort(), (subject) => subject);
  const attemptOf = (name, attempts) => {
    const arm = make('div', undefined, 'arm');
    for (const [index, attempt] of attempts.entries()) {
      const head = make('h4', name + (attempts.length > 1 ? ', attempt ' + (index + 1) : '') + ': ');
      const graded = attempt.isRight === null ? make('span', attempt.outcome) : make('span', (attempt.letter ?? attempt.outcome) + (attempt.isRight ? ' right' : ' wrong'), attempt.isRight ? 'right' : 'wrong');
      head.append(graded);
      arm.append(head, make('div', 'outcome ' + attempt.outcome + (attempt.rung === null ? '' : ', extraction ' + attempt.rung) + ', thought closed: ' + attempt.thoughtClosed, 'note'));
      arm.append(make('h5', 'Thought, ' + attempt.thoughtTokens + ' tokens'), make('pre', attempt.thought || '(none)'), make('h5', 'Answer, ' + attempt.answerTokens + ' tokens'), make('pre', attempt.answer || '(none)'));
    }
    return arm;
  };
  const fill = (details, item) => {
    details.append(make('p', item.question));
    if (item.context !== null) details.append(make('p', item.context, 'note'));
    if (item.options !== null) {
      const options = make('ul');
      for (const [letter, text] of Object.entries(item.options)) options.append(make('li', letter + '. ' + text + (letter === item.reference ? '  (right)' : ''), letter === item.reference ? 'right' : ''));
      details.append(options);
    } else if (item.reference !== null) details.append(make('p', 'Reference: ' + item.reference, 'note'));
    if (item.contamination !== null && item.contamination !== 'none') details.append(make('p', 'Contamination: ' + item.contamination, 'note'));
    const pair = make('div', undefined, 'pair');
    pair.append(attemptOf('Base', item.arms.base), attemptOf('Tuned', item.arms.tuned));
    details.append(pair);
  };
  const draw = () => {
    const chosen = items.filter((item) => (controls.flip.value === '' || flipOf(item) === controls.flip.value) && (controls.task.value === '' || item.task === controls.task.value) && (controls.subject.value === '' || item.subject === controls.subject.value));
    list.replaceChildren();
    for (const item of chosen.slice(0, shown)) {
      const details = make('details', undefined, 'item');
      const summary = make('summary');
      summary.append(make('span', undefined, 'key ' + flipOf(item)), make('strong', flipNames[flipOf(item)]), ' ' + item.task + (item.subject === null ? '' : ', ' + item.subject) + ': ' + item.question.slice(0, 140) + (item.question.length > 140 ? '…' : ''));
      details.append(summary);
      details.addEventListener('toggle', () => { if (details.open && details.childElementCount === 1) fill(details, item); });
      list.append(details);
    }
    counter.textContent = chosen.length + ' of ' + items.length + ' items';
    more.hidden = chosen.length <= shown;
  };
  for (const control of Object.values(controls)) control.addEventListener('change', () => { shown = pageSize; draw(); });
  more.addEventListener('click', () => { shown += pageSize; draw(); });
  draw();
})();
`;

// Convenience only: everything works without it. No text of a page is ever taken for HTML.
for (const button of document.querySelectorAll('button.copy')) {
  button.hidden = false;
  button.addEventListener('click', async () => {
    const label = button.firstChild;
    try {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      label.data = 'Copied';
    } catch {
      // no permission, or plain http: the text is selected instead
      getSelection().selectAllChildren(button.previousElementSibling);
      label.data = 'Selected';
    }
    setTimeout(() => { label.data = 'Copy'; }, 2000);
  });
}

const search = document.getElementById('search');
if (search) {
  search.closest('.search').hidden = false;
  const entries = [...document.querySelectorAll('.providers li')];
  const count = document.getElementById('search-count');
  search.addEventListener('input', () => {
    const wanted = search.value.trim().toLowerCase();
    for (const one of entries) {
      one.hidden = !one.textContent.toLowerCase().includes(wanted);
    }
    const left = entries.filter((one) => !one.hidden).length;
    count.textContent = wanted ? `${left} of ${entries.length} providers` : '';
    if (!left) {
      for (const one of entries) {
        one.hidden = !one.classList.contains('any');
      }
      count.textContent = 'None of that name. Register it by its issuer:';
    }
  });
}

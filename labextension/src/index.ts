import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { SignInApi } from './api.ts';
import { MIME_TYPE, SignInCard } from './card.ts';

/** Shows a pending sign-in as a live card, in JupyterLab and Notebook 7 alike. */
const card: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-oauthconn:card',
  description: 'Shows a pending sign-in of an OAuth connection as a live card.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_oauthconn');
    const api = new SignInApi(app.serviceManager.serverSettings);
    rendermime.addFactory(
      {
        // the notebook only says which sign-in it is; the service says how it stands
        safe: true,
        mimeTypes: [MIME_TYPE],
        createRenderer: () => new SignInCard(api, trans)
      },
      // before text/html (50), which stands beside it for other front ends
      0
    );
  }
};

export default card;
